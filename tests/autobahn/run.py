"""Runs the Autobahn test suite against our side of the WebSocket protocol, and writes docs/autobahn.md.

Started by "make autobahn". The suite is for Python 2 only. It is installed into target/autobahn, with a pip that
still knows Python 2; the interpreter must be there: pypy (about ten minutes) or python2.7 (far longer, for the large
messages of the last sections), found on the path or named by PYTHON2. What is tested is the example echo_server of
chat_websocket: the decoder and encoder of the service, and nothing else.
"""

import collections
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "target" / "autobahn"
SITE = PLACE / "site"
REPORTS = PLACE / "reports"
SUMMARY = ROOT / "docs" / "autobahn.md"
SUITE = "autobahntestsuite==25.10.1"
# What the others are built with.
TOOLS = ("setuptools<45", "wheel<0.38", "incremental==16.10.1")
# The newest that run on Python 2, of what the suite was made for.
PINS = (
    "txaio==2.1.0",
    "Twisted==20.3.0",
    "zope.interface==4.6.0",
    "klein==17.10.0",
    "Werkzeug==1.0.1",
    "autobahn==0.10.9",
    "jinja2<3",
    "markupsafe<2",
    "unittest2",
)
# Imported by the suite, used for TLS only, and not to be had without pyOpenSSL.
NO_TLS = "class ClientContextFactory(object): pass\nclass DefaultOpenSSLContextFactory(object): pass\n"
START = "import sys; sys.argv[0] = 'wstest'; from autobahntestsuite.wstest import run; run()"
AGENT = "chat_websocket"
CASES = 517
SECTIONS = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "close",
    "9": "large messages",
    "10": "fragments sent by the server",
    "12": "compression",
    "13": "compression with parameters",
}
# What the server may do without; anything else fails the run.
REASONS = {
    "INFORMATIONAL": "the suite only notes what the server does",
    "UNIMPLEMENTED": "an offer that is declined, as RFC 7692 allows: `server_max_window_bits=9` (see PROTOCOL.md)",
}


def main() -> None:
    """Installs, runs, summarises."""
    python = find_python()
    install(python)
    subprocess.run(
        ["cargo", "build", "--release", "-p", "chat_websocket", "--example", "echo_server"], cwd=ROOT, check=True
    )
    run(python)
    cases = json.loads((REPORTS / "index.json").read_text())[AGENT]
    SUMMARY.write_text(summary(cases, version(python)))
    print(f"{SUMMARY.relative_to(ROOT)} is written; details are in {REPORTS.relative_to(ROOT)}/index.html")
    bad = [name for name, case in cases.items() if not is_allowed(name, case)]
    if bad or len(cases) != CASES:
        sys.exit(f"{len(cases)} of {CASES} cases ran; not as they should: {', '.join(bad) or 'none'}")


def find_python() -> str:
    """The first Python 2 that starts."""
    named = os.environ.get("PYTHON2")
    for name in [named] if named else ["pypy", "python2.7", "python2"]:
        found = shutil.which(name)
        if found and version(found).startswith("2.7"):
            return found
    sys.exit(
        "The Autobahn suite needs Python 2.7, and there is none. Install pypy (much the fastest) or python2.7,\n"
        "or say where it is: make autobahn PYTHON2=/path/to/pypy"
    )


def version(python: str) -> str:
    """The version of an interpreter, and its kind; empty if it does not start."""
    code = "import platform; print(platform.python_version() + ' ' + platform.python_implementation())"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def install(python: str) -> None:
    """Puts the suite into target/autobahn, once."""
    done = PLACE / "installed"
    if done.exists():
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(PLACE), "pip==20.3.4"]
    subprocess.run(download, check=True)
    (pip,) = PLACE.glob("pip-*.whl")
    install = [python, "-W", "ignore", "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(SITE)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(pip), str(SITE)]),
        "PIP_NO_PYTHON_VERSION_WARNING": "1",
    }
    for packages in (TOOLS, PINS, ("--no-deps", SUITE)):
        subprocess.run([*install, *packages], env=environment, check=True)
    # Installed this way, the namespace package lacks the file that makes it one.
    (SITE / "zope" / "__init__.py").touch()
    (SITE / "twisted" / "internet" / "ssl.py").write_text(NO_TLS)
    done.touch()


def run(python: str) -> None:
    """All cases, against a server of our own."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    server = ROOT / "target" / "release" / "examples" / "echo_server"
    with subprocess.Popen([server, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        specification = {
            "outdir": str(REPORTS),
            "servers": [{"agent": AGENT, "url": f"ws://{address}"}],
            "cases": ["*"],
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (PLACE / "specification.json").write_text(json.dumps(specification))
        try:
            command = [python, "-c", START, "-m", "fuzzingclient", "-s", "specification.json"]
            subprocess.run(command, cwd=PLACE, env={**os.environ, "PYTHONPATH": str(SITE)}, check=True)
        finally:
            process.terminate()


def is_allowed(name: str, case: dict[str, str]) -> bool:
    """Whether a case ended as it should, or may, be."""
    is_compression = name.startswith(("12.", "13."))
    allowed = {"OK", "INFORMATIONAL"} | ({"UNIMPLEMENTED", "NON-STRICT"} if is_compression else set())
    return case["behavior"] in allowed and case["behaviorClose"] in {"OK", "INFORMATIONAL"}


def summary(cases: dict[str, dict[str, str]], interpreter: str) -> str:
    """The outcome as a document."""
    outcomes = collections.Counter(case["behavior"] for case in cases.values())
    closes = collections.Counter(case["behaviorClose"] for case in cases.values())
    kinds = ["OK", *sorted(set(outcomes) - {"OK"})]
    lines = [
        "# Autobahn",
        "",
        f"The Autobahn test suite against `chat_websocket`, of {dt.datetime.now(dt.UTC):%Y-%m-%d}.",
        "Written by `make autobahn`.",
        "",
        f"{SUITE.replace('==', ' ')} on Python {interpreter}; {len(cases)} of {CASES} cases.",
        "",
        f"Behaviour: {counted(outcomes)}. Close: {counted(closes)}.",
        "",
        f"| Section | | {' | '.join(kinds)} |",
        f"| --- | --- | {' | '.join('---' for _ in kinds)} |",
    ]
    for section, title in SECTIONS.items():
        of_section = [case["behavior"] for name, case in cases.items() if name.split(".")[0] == section]
        counts = " | ".join(str(of_section.count(kind)) for kind in kinds)
        lines.append(f"| {section} | {title} | {counts} |")
    lines += ["", "Not OK:", ""]
    for kind in kinds[1:]:
        names = sorted((name for name, case in cases.items() if case["behavior"] == kind), key=numbers)
        lines += [f"- {kind}, {REASONS.get(kind, 'which is a fault')}: {', '.join(names)}"]
    return "\n".join(lines) + "\n"


def counted(outcomes: collections.Counter[str]) -> str:
    """Outcomes with their counts."""
    return ", ".join(f"{count} {kind}" for kind, count in outcomes.most_common())


def numbers(name: str) -> list[int]:
    """The parts of a case's name, to sort by."""
    return [int(part) for part in name.split(".")]


if __name__ == "__main__":
    main()
