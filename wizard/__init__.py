"""wagtail-remodel: change the model behind live Wagtail pages, safely.

This package is the engine. It knows nothing of Textual; the screens live in `screens`.
"""

__version__ = "0.1.0"
