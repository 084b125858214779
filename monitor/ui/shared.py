"""One of each for the whole process: the views and the operator's door, shared by the pages and the routes."""

from __future__ import annotations

from functools import lru_cache

from monitor.config import Place
from monitor.views import Views
from monitor.web.operator import Operator

OPERATOR = Operator()


@lru_cache(maxsize=8)
def _views_of(place: Place) -> Views:
    return Views(place)


def views() -> Views:
    """Return the views of the place that the environment names."""
    return _views_of(Place.of())
