"""An open loop of workflows with one activity each, and what came of them.

load.py work  HOST:PORT NAMESPACE QUEUE QUEUES FILE        works on them
load.py start HOST:PORT NAMESPACE QUEUE QUEUES FILE RATE   starts RATE of them a second and waits for every result
load.py check HOST:PORT NAMESPACE QUEUE QUEUES             reads ids, prints what the server knows of them

With QUEUES other than 1 they are spread over so many task queues, each with a worker: QUEUE-0, QUEUE-1 and so on.
`work` and `start` end with their standard input, so they never outlive whoever began them. They write JSON lines to
FILE: one when they are ready, one for each workflow, one with what they cost. Times are seconds since 1970.
"""

import asyncio
import json
import os
import resource
import sys
import threading
import time
from collections import Counter
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

# A namespace that has just been registered is not known to every server at once.
PATIENCE = 60
# After the last start, for results that are still out: longer than any loss that was ever measured.
DRAIN = 150
# Visibility is written a little later.
LISTED = 30


@activity.defn
async def touch(name: str) -> str:
    executions[activity.info().workflow_id] += 1
    return name


@workflow.defn
class Load:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(touch, name, start_to_close_timeout=timedelta(seconds=10))


@workflow.defn
class Open:
    """Waits for the signal `finish`."""

    def __init__(self) -> None:
        self.finished = False

    @workflow.signal
    def finish(self) -> None:
        self.finished = True

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.finished)
        return await workflow.execute_activity(touch, "open", start_to_close_timeout=timedelta(seconds=10))


executions: Counter[str] = Counter()


class Lines:
    """JSON lines, each of them whole for a reader that comes in between."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "w", buffering=1)

    def write(self, **fields: object) -> None:
        self.file.write(json.dumps(fields) + "\n")

    def cost(self, began: float, **fields: object) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.write(kind="cost", cpu=usage.ru_utime + usage.ru_stime, seconds=time.time() - began, **fields)


def end_of_input() -> asyncio.Event:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def read() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()
    return ended


async def insist(what, until: float):
    """Tries again until it works or the time is over."""
    while True:
        try:
            return await asyncio.wait_for(what(), 20)
        except Exception:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.5)


async def connect(target: str, namespace: str) -> Client:
    return await insist(lambda: Client.connect(target, namespace=namespace), time.monotonic() + PATIENCE)


def queues_of(queue: str, queues: str) -> list[str]:
    return [queue] if queues == "1" else [f"{queue}-{n}" for n in range(int(queues))]


async def work(target: str, namespace: str, queue: str, queues: str, path: str) -> None:
    ended, lines, began = end_of_input(), Lines(path), time.time()
    client = await connect(target, namespace)
    # The sandbox costs processor time that the servers need here, and sees nothing of the network.
    runner = UnsandboxedWorkflowRunner()
    workers = [
        Worker(client, task_queue=one, workflows=[Load, Open], activities=[touch], workflow_runner=runner, identity="load")
        for one in queues_of(queue, queues)
    ]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    lines.write(kind="ready", at=time.time())
    await asyncio.wait([*running, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
    repeated = sum(1 for count in executions.values() if count > 1)
    error = next((repr(one.exception()) for one in running if one.done()), None)
    lines.cost(began, activities=executions.total(), repeated=repeated, error=error)


async def one(client: Client, queue: str, lines: Lines, id: str, due: float) -> None:
    record = {"kind": "workflow", "id": id, "due": due, "sent": time.time()}
    try:
        handle = await client.start_workflow(Load.run, id, id=id, task_queue=queue)
        record["started"] = time.time()
        await handle.result()
        record["completed"] = time.time()
    except asyncio.CancelledError:
        record["error"] = "not awaited any longer"
    except WorkflowFailureError as failure:
        record["error"] = f"the workflow failed: {failure.cause}"
    except Exception as error:
        record["error"] = f"{type(error).__name__}: {error}"
    record["ended"] = time.time()
    lines.write(**record)


async def warm(client: Client, queue: str) -> None:
    await client.execute_workflow(Load.run, "warm", id=f"{queue}-warm-{time.time()}", task_queue=queue)


async def start(target: str, namespace: str, queue: str, queues: str, path: str, rate: str) -> None:
    ended, lines, began = end_of_input(), Lines(path), time.time()
    client = await connect(target, namespace)
    late = time.monotonic() + PATIENCE
    all_queues = queues_of(queue, queues)
    for _ in range(3):
        await insist(lambda: asyncio.gather(*(warm(client, one) for one in all_queues)), late)
    first, n, out = time.time() + 0.2, 0, set()
    lines.write(kind="ready", at=first)
    while not ended.is_set():
        due = first + n / float(rate)
        wait = due - time.time()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(client, all_queues[n % len(all_queues)], lines, f"{queue}-{n}", due))
        out.add(task)
        task.add_done_callback(out.discard)
        n += 1
    if out:
        _, open = await asyncio.wait(set(out), timeout=DRAIN)
        for task in open:
            task.cancel()
        if open:
            await asyncio.wait(open, timeout=10)
    lines.cost(began, due=n)


async def status(client: Client, id: str) -> str:
    try:
        described = await client.get_workflow_handle(id).describe()
        return described.status.name if described.status else "UNKNOWN"
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return "MISSING"
        raise


async def check(target: str, namespace: str, queue: str, queues: str) -> None:
    client = await connect(target, namespace)
    ids = set(sys.stdin.read().split())
    until = time.monotonic() + LISTED
    while True:
        runs, completed = Counter(), set()
        listed = ", ".join(f"'{one}'" for one in queues_of(queue, queues))
        async for execution in client.list_workflows(f"TaskQueue IN ({listed})"):
            runs[execution.id] += 1
            if execution.status == WorkflowExecutionStatus.COMPLETED:
                completed.add(execution.id)
        unlisted = ids - completed
        if not unlisted or time.monotonic() > until:
            break
        await asyncio.sleep(1)
    statuses = {id: await insist(lambda: status(client, id), until + PATIENCE) for id in sorted(unlisted)}
    print(json.dumps({
        "unlisted": sorted(ids - set(runs)),
        "unfinished": {id: status for id, status in statuses.items() if status != "COMPLETED"},
        "duplicated": sorted(id for id, count in runs.items() if count > 1 and id in ids),
    }))


async def main(verb: str, *rest: str) -> None:
    await {"work": work, "start": start, "check": check}[verb](*rest)
    sys.stdout.flush()
    # Workers are not ended: their polls at quiet queues would be waited for. Nor is the interpreter: an ordinary exit of
    # SDK 1.35 on Python 3.11 now and then aborts.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
