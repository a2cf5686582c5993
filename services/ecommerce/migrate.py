"""Brings the schema up to date with Alembic, inside the caller's transaction and lock."""

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

LOCATION: Final = Path(__file__).with_name("migrations")
VERSION_TABLE: Final = "shop_schema_version"


def upgrade(connection: sa.Connection) -> None:
    """Apply the steps that this database does not have yet; a newer schema than ours is left alone.

    There is no env.py: that file is for the command line, and importing a module must do nothing.
    """
    config = Config()
    config.set_main_option("script_location", str(LOCATION))
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, _: Any) -> list[Any]:
        known = {step.revision for step in script.walk_revisions()}
        newer = set(revision if isinstance(revision, tuple) else (revision,)) - known - {None}
        return [] if newer else script._upgrade_revs("head", revision)

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        with environment.begin_transaction():
            environment.run_migrations()
