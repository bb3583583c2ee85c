"""``selftime backtest``: how well a series would have been forecast."""

from typing import Annotated, Literal

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app


@app.command()
@options.with_tables
def backtest(  # noqa: PLR0913 - the signature is the command line
    read: options.Reader,
    file: options.DataArgument,
    horizons: Annotated[
        str, typer.Option("--horizons", help="Steps ahead, with commas.")
    ] = "96,192,336,720",
    protocol: Annotated[
        Literal["ett-hourly", "ett-15min", "70-10-20"],
        typer.Option("--protocol", help="How the series is cut into train, validation and test."),
    ] = "70-10-20",
    picture: Annotated[
        str | None, typer.Option("--picture", help="Calibration plot: .png, .svg or .pdf.")
    ] = None,
    covariates: options.CovariatesOption = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit/--no-refit", help="Weights from the validation part too, options chosen."
        ),
    ] = True,
    seed: options.SeedOption = 0,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Forecast every window of the test part, beside naive and linear references.

    Errors are those of standardised values. Options are chosen without the test part; a row says
    what weights from the training part alone are worth.

    Example: selftime backtest sample:NYCTaxi --horizons 48
    """
    import selftime as st
    from selftime.report.pictures.forecasts import coverage_picture
    from selftime.report.pictures.palette import save_picture
    from selftime.report.tables import backtest_table

    steps = horizons_in(horizons)
    read.keep_gaps("a backtest")
    if picture:
        files.check_file(picture, files.PICTURE_SUFFIXES, force=force)
    found = st.backtest(
        read(file),
        steps,
        protocol=protocol,
        refit=refit,
        covariates=options.words_in(covariates),
        seed=seed,
        progress=True,
    )
    whose = "Weights of all rows but one are" if refit else "Weights are"
    lines = [
        f"{whose} from the {found.fitted_on}{'' if refit else ' alone'}.",
        f"{found.seconds:.1f} s to choose, fit and forecast, references and intervals left out.",
    ]
    if picture:
        save_picture(coverage_picture(found.calibrations, title=file), picture)
        lines.append(f"Picture: {picture}")
    terminal.show(found.to_dict(), backtest_table(found), *lines, as_json=as_json)


def horizons_in(text: str) -> tuple[int, ...]:
    """Steps ahead from ``96,192``, each once, in the order given.

    Raises:
        ValueError: not positive numbers.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(f"got --horizons {text!r}, wanted positive numbers, such as 96,192")
    return tuple(dict.fromkeys(map(int, words)))
