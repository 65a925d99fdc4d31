"""A run that is killed at any moment leaves nothing half done, and the next one ends with the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

RUN = """
import sys
from pathlib import Path
from sintonia.core.config import EngineConfig, ReasonsConfig, ScoreSettings
from sintonia.core.engine import connect
from sintonia.data.store import open_store
from sintonia.registry.models import load_model
from sintonia.serving.lists import TaskModel, read_list, score_list
from sintonia.registry.models import Registered
from sintonia.core.timeline import midnight

workspace, path, out = map(Path, sys.argv[1:4])
store = open_store(workspace)
models = []
for folder in sorted((workspace / "models").iterdir()):
    model = load_model(folder)
    registered = Registered(f"brand-{folder.name}", "1", "candidate", "run")
    models.append(TaskModel(model, registered, midnight(store.data_until(["purchase"]))))
settings = ScoreSettings(
    workspace=str(workspace), list=str(path), out=str(out), chunk_rows=10, reasons=ReasonsConfig(1),
    bands={"high": 91, "low": 1}, engine=EngineConfig(threads=1),
)
print("begun", flush=True)
with connect(settings.engine, workspace) as connection:
    score_list(connection, store, read_list(path), models, settings)
"""


@pytest.mark.slow
def test_killed_at_ten_moments_and_run_again_the_file_is_that_of_an_undisturbed_run(brand, tmp_path):
    for one in brand.models:
        one.model.save(brand.workspace / "models" / one.task)
    path, out, calm = (tmp_path / name for name in ("list.csv", "out.csv", "calm.csv"))
    path.write_text("card;n\n" + "".join(f"{card};1\n" for card in [*brand.cards, *brand.cards]))

    def begin(target):
        words = [sys.executable, "-c", RUN, str(brand.workspace), str(path), str(target)]
        run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))
        assert run.stdout is not None
        assert run.stdout.readline() == b"begun\n"
        return run, time.monotonic()

    run, begun = begin(calm)
    _, said = run.communicate()
    assert run.returncode == 0, said
    takes, moments = time.monotonic() - begun, random.Random(7)
    stopped = 0
    for _ in range(10):
        run, _ = begin(out)
        time.sleep(moments.uniform(0, 0.9 * takes))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        if run.returncode == -signal.SIGKILL:
            stopped += 1
            assert not out.exists() or out.read_bytes() == calm.read_bytes()
    run, _ = begin(out)
    _, said = run.communicate()
    assert run.returncode == 0, said
    assert stopped
    assert out.read_bytes() == calm.read_bytes()
    assert not list(brand.workspace.glob(".scoring-*"))
