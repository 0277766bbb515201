"""Runs one workflow with one activity and prints its result as JSON:  hello.py HOST:PORT NAMESPACE WORKFLOW_ID"""

import asyncio
import json
import os
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

TASK_QUEUE = "hello"
PATIENCE = 60  # seconds: a namespace that has just been registered is not known to every server at once


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=timedelta(seconds=10))


async def once(target: str, namespace: str, workflow_id: str) -> dict[str, object]:
    client = await Client.connect(target, namespace=namespace)
    async with Worker(client, task_queue=TASK_QUEUE, workflows=[Greeting], activities=[greet]):
        began = time.monotonic()
        result = await client.execute_workflow(Greeting.run, "Temporal", id=workflow_id, task_queue=TASK_QUEUE)
        return {"result": result, "seconds": round(time.monotonic() - began, 2)}


async def main(target: str, namespace: str, workflow_id: str) -> None:
    began = time.monotonic()
    said = ""
    while True:
        try:
            print(json.dumps(await once(target, namespace, workflow_id)))
            return
        except Exception as error:
            if time.monotonic() - began > PATIENCE:
                raise
            if str(error) != said:
                said = str(error)
                print(f"not yet: {said}", file=sys.stderr)
            await asyncio.sleep(0.5)


if __name__ == "__main__":  # the SDK's sandbox imports this file again
    asyncio.run(main(*sys.argv[1:]))
    sys.stdout.flush()
    # An ordinary exit of SDK 1.35 on Python 3.11 now and then aborts while the interpreter ends.
    os._exit(0)
