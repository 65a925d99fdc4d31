"""A small CRM for tests, with known links between its records, and a build of it."""

import pyarrow.parquet as pq

from sintonia.api.pipelines import build
from sintonia.core.config import BuildSettings, EngineConfig, IdentityConfig, SiloConfig, SourceConfig
from sintonia.data.store import open_store

FIELDS = ("first_name", "last_name", "sex", "birth_date", "email", "phone", "street", "city")
CRM = SiloConfig(
    path="crm.csv",
    identifiers={"crm": "crm", "email": "email"},
    occurred_at="at",
    interactions={"kind": "'register'"},
    constants={"channel": "store"},
    contacts={field: field for field in FIELDS},
)
FIRST = ("Maria", "Luca", "Giorgia", "Paolo", "Chiara", "Dario", "Elena", "Franco", "Ida", "Nicola")
LAST = ("Rossi", "Bianchi", "Verdi", "Neri", "Gallo", "Conti", "Serra", "Fontana")


def person(number: int) -> list[str]:
    first, last = FIRST[number % 10], LAST[number % 8]
    email = f"{first}.{last}{number}@posta.it".lower()
    day = f"{1950 + number}-{number % 12 + 1:02d}-{number % 27 + 1:02d}"
    sex = "f" if first in ("Maria", "Giorgia", "Chiara", "Elena", "Ida") else "m"
    return [
        first,
        last,
        sex,
        day,
        email,
        f"34{number:02d}5{number * 7919 % 10**6:06d}",
        f"Via Po {number}",
        "Roma",
    ]


def write_crm(folder, people=40):
    """Return the lines of the CRM; every third person registers twice, with another e-mail and a typo in the name."""
    lines = [f"crm,at,{','.join(FIELDS)}"]
    for number in range(people):
        lines.append(f"A{number},2025-01-{number % 28 + 1:02d},{','.join(person(number))}")
        if number % 3 == 0:
            second = person(number)
            second[1], second[4] = second[1][:-1], f"altra{number}@mail.it"
            lines.append(f"B{number},2025-03-{number % 28 + 1:02d},{','.join(second)}")
    return lines


def crosswalk(folder, lines, **identity):
    (folder / "crm.csv").write_text("\n".join(lines) + "\n")
    source = SourceConfig(name="toy", root=str(folder), today="2026-01-01", silos={"crm": CRM})
    config = IdentityConfig(**{"name": "probabilistic", "shareable": ["email", "phone"], **identity})
    workspace = str(folder / "workspace")
    build(BuildSettings(workspace=workspace, engine=EngineConfig(buckets=2), source=source, identity=config))
    rows = pq.read_table(open_store(folder / "workspace").folder / "crosswalk.parquet").to_pylist()
    return {row["source_key"]: row for row in rows if row["unlinked_at"] is None}
