"""What is kept between sessions: results (store) and the processes that make them (jobs).

Knows arrays and JSON, not physics: nothing here imports torch or the engine.
"""
