"""An asyncio loop in a thread of the test, for servers that run beside what they serve."""
import asyncio
import threading

PATIENCE_S = 20


class LoopThread:
    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, coroutine):
        """Its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    def soon(self, function, *args):
        self._loop.call_soon_threadsafe(function, *args)

    def stop(self):
        """Cancel whatever still runs."""
        async def end():
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.do(end())
        self.soon(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()
