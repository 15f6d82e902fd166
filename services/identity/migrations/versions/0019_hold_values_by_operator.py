"""Keep which operator holds which value, once each and as a number, and with every account what it says.

A value is 60 bits of the hash that it was, and its kind: what was recorded before is found by what comes now.
"""

from alembic import op

from services.identity import models
from services.identity.link_tables import ValueHolder

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_NUMBER = "('x' || encode(substring({hash} FROM 1 FOR 8), 'hex'))::bit(64)::bigint"
_VALUE = f"({_NUMBER} & ~15::bigint) | {{kind}}"
_CARRIED = (
    f"""INSERT INTO value_holders (value, operator_id)
        SELECT DISTINCT {_VALUE.format(hash="blind", kind="kind")}, operator_id
        FROM blind_values WHERE held_to IS NULL""",  # noqa: S608 - our own names
    "ALTER TABLE link_sketches ADD COLUMN held bytea",
    f"""UPDATE link_sketches s SET held = coalesce((
            SELECT string_agg(int8send(v), '' ORDER BY v)
            FROM (SELECT {_VALUE.format(hash="b.blind", kind="b.kind")} AS v FROM blind_values b
                  WHERE b.account_id = s.account_id AND b.held_to IS NULL) AS own), ''),
        name_pieces = {{name_pieces}}, address_pieces = {{address_pieces}}""",  # noqa: S608 - our own names
    f"""ALTER TABLE link_sketches ALTER COLUMN held SET NOT NULL,
        ALTER COLUMN name TYPE bigint USING {_VALUE.format(hash="name", kind="8")},
        ALTER COLUMN address TYPE bigint USING {_VALUE.format(hash="address", kind="address_kind")},
        ALTER COLUMN address_numbers TYPE bigint USING
            CASE WHEN length(address_numbers) < 8 THEN 0 ELSE {_NUMBER.format(hash="address_numbers")} END""",
    "ALTER TABLE link_sketches DROP COLUMN address_kind",
    "DROP TABLE blind_values",
)
# Least significant byte first it was.
_TURNED = """
    coalesce((SELECT string_agg(turned, '' ORDER BY place) FROM (
        SELECT n / 8 AS place, string_agg(substring({pieces} FROM n + 1 FOR 1), '' ORDER BY n DESC) AS turned
        FROM generate_series(0, length({pieces}) - 1) AS n GROUP BY n / 8) AS one), '')
"""
_SEEN = "(SELECT current_setting('crosswatch.platform', true)) = '*'"
# Who holds what is of operators, who may be on other platforms: no platform sees it.
_PROTECTED = (
    "ALTER TABLE value_holders ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE value_holders FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY no_platform ON value_holders USING ({_SEEN}) WITH CHECK ({_SEEN})",
)


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    op.execute("SELECT set_config('crosswatch.platform', '*', true)")
    models.metadata.create_all(op.get_bind(), tables=[ValueHolder.__table__])
    if op.get_bind().exec_driver_sql("SELECT to_regclass('blind_values')").scalar_one() is not None:
        pieces = {name: _TURNED.format(pieces=f"s.{name}") for name in ("name_pieces", "address_pieces")}
        for statement in _CARRIED:
            op.execute(statement.format(**pieces))
    for statement in _PROTECTED:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: of the hashes that were, 60 bits are left."""
    raise NotImplementedError("values of before cannot be told from what is kept of them")
