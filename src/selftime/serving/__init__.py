"""Models behind an address: bodies in, tables out, requests encoded together, streams with a state.

Needs the packages of the extra ``serve``.

Raises:
    ValueError: one of them is not installed.
"""

from selftime.web import check_packages

check_packages("serving", "serve", ("fastapi", "uvicorn", "prometheus_client"))
