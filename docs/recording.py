"""A recorder as a callback: in loops of your own, or in Lightning, class Mine(Recording, lightning.Callback): ..."""

from engine import Recorder


class Recording:
    """Records every so many epochs; settings: those of a Recorder."""

    def __init__(self, name, data, every=1, **settings):
        self.name, self.data, self.every, self.settings = name, data, every, settings

    def on_train_start(self, trainer, module):
        optimizer = next(iter(getattr(trainer, "optimizers", ())), None)
        self.recorder = Recorder(self.name, module, self.data, optimizer=optimizer, **self.settings)

    def on_train_epoch_end(self, trainer, module):
        epoch, logged = trainer.current_epoch + 1, getattr(trainer, "callback_metrics", {})
        numbers = {"loss": "train_loss", "accuracy": "train_acc", "test_loss": "val_loss", "test_accuracy": "val_acc"}
        if epoch % self.every == 0:
            self.recorder.record(epoch, **{name: logged[of] for name, of in numbers.items() if of in logged})

    def on_train_end(self, trainer, module):
        self.recorder.close()
