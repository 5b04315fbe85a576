"""A Slurm cluster on this machine for one test: a controller and several nodes, each a slurmd with slots of its own."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

PROGRAMS = ("slurmctld", "slurmd", "srun", "sbatch", "sinfo", "squeue", "scontrol")
CONFIGURATION = """
ClusterName=test
SlurmctldHost=localhost
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1
ReturnToService=2
SlurmdTimeout=5
SlurmctldTimeout=5
InactiveLimit=5
KillWait=1
MessageTimeout=5
PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=INFINITE
"""
NODE = "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs={slots} CoresPerSocket={slots}"


class Slurm:
    """A running cluster. `environment` lets Slurm's commands find it."""

    def __init__(self, folder: Path, nodes: dict[str, int], slots: int):
        self.folder = folder
        self.nodes = nodes
        self.configuration = folder / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.configuration)}
        self.processes: dict[str, subprocess.Popen] = {}
        text = CONFIGURATION.format(user=getpass.getuser(), port=free_port(), folder=folder)
        lines = [NODE.format(name=name, port=port, slots=slots) for name, port in nodes.items()]
        self.configuration.write_text("\n".join([text, *lines, ""]))
        (folder / "state").mkdir()

    def start_controller(self) -> None:
        self._start("controller", "slurmctld")

    def start_node(self, name: str) -> None:
        (self.folder / f"spool-{name}").mkdir(exist_ok=True)
        self._start(name, "slurmd", "-N", name)

    def kill_controller(self) -> None:
        self._kill("controller")

    def kill_node(self, name: str) -> None:
        """End a node as a power cut would: its slurmd, and all that runs on it."""
        self._kill(name)
        for pid in _running_on(name):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def output(self, *command: str) -> str:
        """What one of Slurm's commands prints."""
        return subprocess.run(
            command, env=os.environ | self.environment, stdout=subprocess.PIPE, text=True, check=True, timeout=30
        ).stdout

    def wait_until_ready(self) -> None:
        wait_until(lambda: self._nb_idle() == len(self.nodes), 60, lambda: self.output("sinfo"), interval=0.2)

    def stop(self) -> None:
        for name in self.nodes:
            self.kill_node(name)
        self.kill_controller()

    def _nb_idle(self) -> int:
        try:
            return self.output("sinfo", "--noheader", "--Node", "--states=idle").count("\n")
        except subprocess.CalledProcessError:
            return 0  # the controller does not answer yet

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [shutil.which(command[0]) or command[0], *command[1:], "-D", "-f", str(self.configuration)],
                stdout=log,
                stderr=log,
                env=os.environ | self.environment,
            )

    def _kill(self, name: str) -> None:
        if process := self.processes.pop(name, None):
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path, nb_nodes: int = 2, slots: int = 2) -> Iterator[Slurm]:
    """Run a cluster in the block. Skips where Slurm is not installed."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    slurm = Slurm(folder, {f"n{number}": free_port() for number in range(nb_nodes)}, slots)
    try:
        slurm.start_controller()
        for name in slurm.nodes:
            slurm.start_node(name)
        slurm.wait_until_ready()
        yield slurm
    finally:
        slurm.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _running_on(name: str) -> list[int]:
    """The processes of jobs on a node, and the slurmstepd that runs each step of a job."""
    tasks = [pid for pid in _processes() if f"SLURMD_NODENAME={name}\0" in _read(pid, "environ")]
    parents = {int(_read(pid, "stat").rpartition(")")[2].split()[1]) for pid in tasks}
    return [pid for pid in parents if _read(pid, "comm").startswith("slurmstepd")] + tasks


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""  # it has ended
