"""Workers of this host: a new process for every job, with one device."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from pipeline.cluster.jobs import Finished, Job, Lost, Outcome, Ready, carry_out

# Not forked: TensorFlow's threads would not be there.
_CONTEXT = multiprocessing.get_context("spawn")


class LocalWorkers:
    """One worker per device; see `Workers`.

    Parameters
    ----------
    devices : sequence of str
        Each names a GPU, as ``CUDA_VISIBLE_DEVICES`` of its worker's processes does.
    """

    def __init__(self, devices: Sequence[str]) -> None:
        self._devices = list(devices)
        self._ready = list(range(len(devices)))
        self._running: dict[Connection, tuple[int, BaseProcess]] = {}

    def start(self, worker: int, job: Job, attempt: int) -> None:
        """Start a process that does the job."""
        receiver, sender = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(
            target=_work, args=(sender, self._devices[worker], job, attempt), daemon=True
        )
        # A child keeps what is blocked here: Ctrl-C reaches it too, but this process stops it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        sender.close()  # so that the end of the process ends the pipe
        self._running[receiver] = worker, process

    def wait(self, seconds: float) -> list[Ready | Finished | Lost]:
        """Return which workers are ready, ended their job or lost their process."""
        if self._ready:
            events = [Ready(worker, f"GPU {self._devices[worker]}") for worker in self._ready]
            self._ready = []
            return events
        return [self._receive(receiver) for receiver in wait(list(self._running), seconds)]

    def release(self, worker: int) -> None:
        """Do nothing: a worker that waits is no process."""

    def stop(self) -> None:
        """Terminate every process and wait for its end."""
        for _, process in self._running.values():
            process.terminate()
        for _, process in self._running.values():
            process.join(10)
            process.kill()
            process.join()
        self._running = {}

    def _receive(self, receiver: Connection) -> Finished | Lost:
        worker, process = self._running.pop(receiver)
        try:
            outcome: Outcome = receiver.recv()
        except EOFError:
            process.join()
            self._ready.append(worker)
            return Lost(worker, _describe(process.exitcode), crashed=True)
        finally:
            receiver.close()
        process.join()
        return Finished(worker, outcome)


def _describe(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"


def _work(sender: Connection, device: str, job: Job, attempt: int) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = device  # before TensorFlow looks
    sender.send(carry_out(job, attempt))
