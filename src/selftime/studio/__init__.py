"""The studio: one page of this machine on which series are looked at, found and labelled.

Needs the packages of the extra ``studio``.

Raises:
    ValueError: one of them is not installed.
"""

from selftime.web import check_packages

check_packages("the studio", "studio", ("fastapi", "uvicorn"))
