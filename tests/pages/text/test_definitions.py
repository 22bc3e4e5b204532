"""Every text that explains can be drawn."""

from pages.rooms.duality import text as duality
from pages.rooms.fisher import text as fisher
from pages.rooms.glossary.questions import QUESTIONS
from pages.rooms.live import screen
from pages.rooms.load import text as load
from pages.rooms.mechanism import text as mechanism
from pages.rooms.sample import text as sample
from pages.rooms.sweeps import text as sweeps
from pages.rooms.tours import library
from pages.rooms.train import text as train
from pages.text import definitions

WORDS = (definitions, duality, screen, fisher, sample, mechanism, load, sweeps, train)


def test_every_formula_of_the_explanations_is_whole():
    texts = {
        f"{place.__name__} {name}": text for place in WORDS for name, text in vars(place).items() if name.isupper()
    }
    texts = {name: text for name, text in texts.items() if isinstance(text, str)}
    texts |= {question.text: f"{question.text}\n\n{question.hint}\n\n{question.answer}" for question in QUESTIONS}
    texts |= {
        f"{tour.id} {n}": stop.text for tour in library.shipped().values() for n, stop in enumerate(tour.stops, 1)
    }
    assert len(texts) > 100
    for name, text in texts.items():
        for line in text.splitlines():
            # One that begins beside its $$ and ends on another line is drawn as an error.
            assert line.count("$$") in (0, 2) or line.strip() == "$$", f"{name}: {line}"
        for paragraph in text.split("\n\n"):
            assert paragraph.replace("$$", "").count("$") % 2 == 0, f"{name}: {paragraph}"
