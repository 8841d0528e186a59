"""One request of lab 15's checker, bounded in time and size; it runs in a pod."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping

WITHIN = 10  # s for one answer
LARGEST = 1 << 20  # bytes of one answer


def ask(
    host: str,
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    largest: int = LARGEST,
) -> tuple[int, dict[str, str], bytes, float, str]:
    """One request on a connection of its own: status (0: no answer), headers, body, seconds, error."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection(host, port, timeout=WITHIN)
    try:
        connection.request(method, path, body, {"Connection": "close", **(headers or {})})
        answer = connection.getresponse()
        text = bytearray()
        while chunk := answer.read1(65536):
            text += chunk
            if len(text) > largest:
                return 0, {}, b"", 0.0, f"an answer of more than {largest >> 20} MB"
            if time.perf_counter() - began > WITHIN:
                raise TimeoutError
        head = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, head, bytes(text), time.perf_counter() - began, ""
    except TimeoutError:
        return 0, {}, b"", 0.0, f"no whole answer within {WITHIN} s"
    except (OSError, http.client.HTTPException, ValueError, OverflowError) as trouble:
        return 0, {}, b"", 0.0, f"{type(trouble).__name__}: {' '.join(str(trouble).split())[:200]}"
    finally:
        connection.close()
