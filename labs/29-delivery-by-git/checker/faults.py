"""What can be wrong with a commit: each fault changes the repository's files, and is known by the word for it.

Runs in a pod of the checker's. A fault gets the parsed files and draws what it needs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Files = dict[str, Any]  # by their paths: objects; a text is written as it is
DEPLOYMENT, SERVER, KEY = "service/deployment.yaml", "service/server.yaml", "sealed/key.yaml"
SERVICE = "service/service.yaml"
PROBABILITIES = '        probabilities = [probability(row) for row in json.loads(body)["rows"]]\n'
READY = '{"/readyz": (200, {}),'
VERSION = '{"model_version": MODEL["version"], "probabilities"'
LOCKED = '        if self.headers.get("X-Api-Key") != KEY:\n'
REFUSES = "            self.say(401, "
MISSING = "(row[name] or 0)"

Fault = Callable[[Files, random.Random], None]


def container(files: Files) -> Any:
    """The server's container."""
    return files[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]


def program(files: Files, old: str, new: str) -> None:
    """Change the server's program, which the repository has to have as it was at the beginning."""
    text = files[SERVER]["data"]["server.py"]
    if text.count(old) != 1:
        raise ValueError(f"server.py of the repository has no {old.strip()!r}")
    files[SERVER]["data"]["server.py"] = text.replace(old, new)


def word(draw: random.Random) -> str:
    """A name that nobody knows."""
    return f"{draw.choice(('blue', 'grey', 'late', 'north'))}-{draw.randrange(0x1000, 0x10000):x}"


def no_yaml(files: Files, draw: random.Random) -> None:
    files[SERVICE] = f"apiVersion: v1\nkind: Service\nmetadata: {{name: model, labels: {{a: {word(draw)}}}\n"


def no_sealed_yaml(files: Files, draw: random.Random) -> None:
    files[KEY] = f"kind: Sealed\nmetadata: {{name: model-key-{word(draw)}\nsealed: {{}}\n"


def no_kind(files: Files, draw: random.Random) -> None:
    files[DEPLOYMENT]["apiVersion"] = draw.choice(("apps/v2", "extensions/v1beta1", "app/v1"))


def no_port(files: Files, draw: random.Random) -> None:
    files[SERVICE]["spec"]["ports"][0]["port"] = draw.randrange(66000, 99000)


def no_key(files: Files, draw: random.Random) -> None:
    sealed = files[KEY]["sealed"]
    half = len(sealed["API_KEY"]) // 2
    sealed["API_KEY"] = sealed["API_KEY"][half:-4] + sealed["API_KEY"][:half] + "AAAA"


def no_image(files: Files, draw: random.Random) -> None:
    container(files)["image"] = container(files)["image"].rpartition(":")[0] + f":{word(draw)}"


def no_command(files: Files, draw: random.Random) -> None:
    container(files)["command"][0] = f"python3-{word(draw)}"


def no_secret(files: Files, draw: random.Random) -> None:
    container(files)["env"][0]["valueFrom"]["secretKeyRef"]["name"] = f"model-key-{word(draw)}"


def ends_at_once(files: Files, draw: random.Random) -> None:
    program(files, "\nimport math\n", f"\nimport math\nimport {word(draw).replace('-', '_')}\n")


def other_probe(files: Files, draw: random.Random) -> None:
    container(files)["readinessProbe"]["httpGet"]["path"] = f"/{word(draw)}"


def never_ready(files: Files, draw: random.Random) -> None:
    program(files, READY, f'{{"/readyz": (503, {{"waits": "{word(draw)}"}}),')


def other_port(files: Files, draw: random.Random) -> None:
    container(files)["readinessProbe"]["httpGet"]["port"] = draw.randrange(9000, 9100)


def fails_for_some(files: Files, draw: random.Random) -> None:
    program(files, MISSING, "(row[name] * 1)")


def wrong_for_few(files: Files, draw: random.Random) -> None:
    name = draw.choice(("wind", "traffic"))
    program(files, MISSING, f'(min(max(row[name] or 0, -2.4), 2.4) if name == "{name}" else row[name] or 0)')


def one_too_few(files: Files, draw: random.Random) -> None:
    program(files, PROBABILITIES, PROBABILITIES.replace("\n", f"[:{draw.choice(('-1', '1'))}]\n"))


def other_name(files: Files, draw: random.Random) -> None:
    program(files, VERSION, f'{{"model_version": "{word(draw)}", "probabilities"')


def any_key_opens(files: Files, draw: random.Random) -> None:
    program(files, LOCKED, '        if not self.headers.get("X-Api-Key"):\n')


def no_key_opens(files: Files, draw: random.Random) -> None:
    program(files, LOCKED, '        if self.headers.get("X-Api-Key") not in (None, KEY):\n')


def other_status(files: Files, draw: random.Random) -> None:
    program(files, REFUSES, REFUSES.replace("401", draw.choice(("403", "400", "500"))))


# By word, and of each word what its sentence names: one of each is played.
FAULTS: dict[str, tuple[tuple[Fault, ...], ...]] = {
    "manifest": ((no_yaml,), (no_sealed_yaml,), (no_kind,), (no_port,), (no_key,)),
    "start": ((no_image, no_command), (no_secret,), (ends_at_once,)),
    "ready": ((other_probe, never_ready, other_port),),
    "answers": (
        (fails_for_some,),
        (wrong_for_few,),
        (one_too_few,),
        (other_name,),
        (any_key_opens,),
        (no_key_opens,),
        (other_status,),
    ),
}
NAMES = {each.__name__: each for kinds in FAULTS.values() for some in kinds for each in some}


def in_turn(draw: random.Random) -> list[tuple[str, str]]:
    """Words and faults, by name, in an order that is drawn: one of each word, all other answers, then the others.

    Of answers there are most, and each is missed by another gate that seems right; a slow one sees not all faults.
    """
    every = [(word, draw.choice(some).__name__) for word, kinds in FAULTS.items() for some in kinds]
    draw.shuffle(every)
    first = dict(reversed(every))
    return sorted(every, key=lambda each: (first[each[0]] != each[1], each[0] != "answers"))
