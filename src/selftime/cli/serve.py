"""``selftime serve``: saved folders behind an address, until the process is asked to end."""

from typing import Annotated

import typer

from selftime.cli.app import app


@app.command()
def serve(  # noqa: PLR0913 - the signature is the command line
    folders: Annotated[
        list[str], typer.Argument(help="Saved folders, FOLDER or name=FOLDER.", metavar="FOLDER…")
    ],
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")
    ] = 8000,
    max_body: Annotated[
        str, typer.Option("--max-body", help="Most bytes of a request.", metavar="SIZE")
    ] = "16 MB",
    max_series: Annotated[
        int, typer.Option("--max-series", min=1, help="Most series of a request.")
    ] = 1_000,
    max_length: Annotated[
        int, typer.Option("--max-length", min=1, help="Most timepoints of a series.")
    ] = 100_000,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds for a body to arrive, and for an answer.")
    ] = 30.0,
    batch_wait: Annotated[
        float, typer.Option("--batch-wait", help="Milliseconds a request waits for others.")
    ] = 0.0,
) -> None:
    """Serve models, classifiers, forecasters and detectors over HTTP, JSON or arrow in and out.

    Routes: /embed /classify /regress /forecast /detect /impute /search /streams, and to look at
    /models /health /metrics /docs. With SELFTIME_API_KEY in the environment, requests need it:
    Authorization: Bearer KEY. A folder that is replaced is opened anew. SIGTERM ends the server
    once what runs is finished.

    Example: selftime serve speakers pumps=models/pump-detector --port 8000
    """
    import selftime as st

    st.serve(
        folders,
        host=host,
        port=port,
        max_body=max_body,
        max_series=max_series,
        max_length=max_length,
        timeout=timeout,
        batch_wait=batch_wait,
    )
