"""Which packages each part of the project imports."""

import ast
import subprocess
import sys

import pytest

from tests.support.project import PROJECT


@pytest.mark.parametrize(
    "module",
    [
        "server",
        "webapp.worker.main",
        "webapp.worker.copy_tags",
        "webapp.cgi.script",
        "webapp.cgi.zip_stream",
        "webapp.cgi.exports",
    ],
)
def test_short_and_permanent_processes_do_not_import_numpy(module):
    program = f"import sys, {module}; sys.exit(any(map(sys.modules.get, ('numpy', 'soundfile', 'av'))))"
    assert subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=False).returncode == 0


# What each package of webapp may import of the others. "" stands for the modules beside them, which all may use.
ALLOWED = {
    "": {""},
    "audio": {"", "audio"},
    "engines": {"", "engines"},
    "jobs": {"", "jobs", "engines", "audio"},
    "pages": {"", "pages", "jobs", "engines"},
    "worker": {"", "worker", "jobs", "engines", "audio"},
    "cgi": {"", "cgi", "pages", "jobs", "audio"},
    "server": {"", "server", "pages", "jobs"},
}
HTTP_PACKAGES = ("server", "cgi", "pages")
LOADED_ALONE = ("signal.py", "wav_stream.py", "encoder.py", "pictures.py")  # for downloads, or as a process of its own


def modules(path) -> set[str]:
    """All modules that a module imports, anywhere in it, with their packages: "webapp.jobs.store"."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imports(path) -> set[str]:
    """All top-level packages that a module imports."""
    return {module.split(".")[0] for module in modules(path)}


def package_of(module: str) -> str:
    """The package of webapp that a module is in; "" for the modules beside them."""
    name = module.split(".")[1]
    return name if name in ALLOWED else ""


def test_the_model_side_and_the_web_side_do_not_import_each_other():
    for path in [PROJECT / "server.py", *(PROJECT / "cgi-bin").glob("*.py"), *(PROJECT / "webapp").rglob("*.py")]:
        assert not imports(path) & {"torch", "torchaudio", "openunmix", "openunmix_models", "study"}, path.name
        assert "numpy" not in imports(path) or path.name in LOADED_ALONE
    for path in (PROJECT / "openunmix_models").glob("*.py"):
        assert not imports(path) & {"webapp", "server", "study"}, path.name
    for path in (PROJECT / "audiofiles").glob("*.py"):
        assert imports(path) <= {*sys.stdlib_module_names, "audiofiles"}, path.name


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_of_webapp_import_in_one_direction(package):
    paths = sorted((PROJECT / "webapp" / package).glob("*.py"))
    assert paths
    for path in paths:
        own = {module for module in modules(path) if module.startswith("webapp.")}
        assert {package_of(module) for module in own} <= ALLOWED[package], path.name


def test_only_the_http_packages_know_of_http():
    for path in (PROJECT / "webapp").rglob("*.py"):
        if path.parent.name not in HTTP_PACKAGES:
            assert not imports(path) & {"http", "multipart"}, path.name


def test_modules_of_webapp_do_not_import_each_other_in_cycles():
    """In server/, modules that answer a request also name the handler's type, so that package is left out."""
    paths = [path for path in (PROJECT / "webapp").rglob("*.py") if path.parent.name != "server"]
    graph = {".".join(path.relative_to(PROJECT).with_suffix("").parts): modules(path) for path in paths}
    graph = {
        name: {module if module in graph else module.rpartition(".")[0] for module in named}
        for name, named in graph.items()
    }
    while leaves := [name for name, named in graph.items() if not named & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph
