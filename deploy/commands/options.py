"""Options that several commands share."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

VarDir = Annotated[Path, typer.Option("--var", envvar="VAR_DIR", help="the data directory of the stack")]
PortBase = Annotated[int, typer.Option(help="first port of the stack; the others follow from it")]
Data = Annotated[
    Path | None,
    typer.Option(help="send the real orders of this directory (Olist's CSV files), not simulated ones"),
]
Events = Annotated[int, typer.Option(min=1, help="size of the simulation")]
Seed = Annotated[int, typer.Option(help="seed of the simulation; the same seed gives the same events")]
BaseTime = Annotated[
    datetime | None, typer.Option("--base", help="last day of the simulated month, UTC; default: today")
]
KafkaBootstrap = Annotated[
    str | None, typer.Option(envvar="KAFKA_BOOTSTRAP", help="use this Kafka instead of the embedded broker")
]
DatabaseUrl = Annotated[
    str | None, typer.Option(envvar="DATABASE_URL", help="use this PostgreSQL, as an administrator of it")
]
