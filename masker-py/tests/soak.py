"""Eight threads and an event loop on one masker, for as long as asked: no error, and no growth of memory after warm-up.

python tests/soak.py --seconds 30
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import threading
import time
from pathlib import Path

import masker

TEXTS = [
    f"Hi, this is {name} \N{GRINNING FACE}, call me at 415-555-01{number:02} or write to person{number}@example.com"
    for number, name in enumerate(["Ann Reed", "Sarah Chen", "Maria Lopez", "David Kim"] * 16)
]


def resident() -> int:
    """Bytes of memory in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def soak(seconds: float, threads: int = 8) -> dict[str, float]:
    """Runs, and gives how often and how much. An error in any thread is raised."""
    policy = masker.Policy.healthcare_default().with_surface("alias")
    shared = masker.Masker(policy, recognizer=lambda text: [(0, 2, "NAME", 0.9)] if text.startswith("Hi") else [])
    errors: list[BaseException] = []
    counts = [0] * (threads + 1)
    stop = threading.Event()

    def once(turn: int) -> None:
        text = TEXTS[turn % len(TEXTS)]
        masked = shared.mask(text)
        assert "example.com" not in masked.text
        assert shared.rehydrate(masked.text).text == text
        assert len(masked.events) == len(shared.detect(text)) >= 3
        if turn % 16 == 0:
            assert [one.text for one in shared.rehydrate_many([m.text for m in shared.mask_many(TEXTS[:40])])] == TEXTS[:40]
            chat = [{"role": "user", "content": text}]
            conversation = shared.conversation()
            masked_chat = conversation.mask_chat(chat)
            assert conversation.rehydrate_chat(masked_chat.json).value == chat
            stream = conversation.stream_rehydrator()
            said = conversation.mask_turn("user", text).text
            assert "".join([stream.push(c) for c in said] + [stream.flush()]) == text
            try:
                masker.Policy.from_yaml("name: x")
            except masker.PolicyError:
                pass

    def work(number: int) -> None:
        try:
            turn = number
            while not stop.is_set():
                once(turn)
                turn += 1
                counts[number] += 1
        except BaseException as error:
            errors.append(error)
            stop.set()

    async def loop() -> None:
        turn = 0
        while not stop.is_set():
            texts = [TEXTS[(turn + n) % len(TEXTS)] for n in range(8)]
            masked = await asyncio.gather(*(shared.amask(text) for text in texts))
            restored = await asyncio.gather(*(shared.arehydrate(one.text) for one in masked))
            assert [one.text for one in restored] == texts
            turn += 1
            counts[-1] += 8

    def run_loop() -> None:
        try:
            asyncio.run(loop())
        except BaseException as error:
            errors.append(error)
            stop.set()

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    running.append(threading.Thread(target=run_loop))
    for thread in running:
        thread.start()
    # The allocators of nine threads fill up before they are steady.
    stop.wait(seconds * 0.4)
    gc.collect()
    samples = []
    ends = time.monotonic() + seconds * 0.6
    while time.monotonic() < ends and not stop.is_set():
        stop.wait(max(seconds / 60, 0.05))
        samples.append(resident())
    stop.set()
    for thread in running:
        thread.join()
    if errors:
        raise errors[0]
    assert all(counts), "a thread did nothing"
    third = max(len(samples) // 3, 1)
    early, late = min(samples[:third]), min(samples[-third:])
    return {
        "seconds": seconds,
        "rounds": sum(counts),
        "warm_mb": early / 1e6,
        "end_mb": late / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    result = soak(seconds)
    print("python: " + ", ".join(f"{name} {value:.1f}" if name.endswith("_mb") else f"{name} {value:.0f}" for name, value in result.items()))
    # Python takes memory from the system in pieces of a megabyte.
    assert result["end_mb"] - result["warm_mb"] < 4, "memory grows"


if __name__ == "__main__":
    main()
