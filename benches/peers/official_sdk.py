#!/usr/bin/env python3
"""Measures the official Python SDK like the Rust clients: one operation without a network, whole calls to
the bare server, and a limit that the client does not know. `official-sdk` installs the SDK and runs this.

    official_sdk.py --programs DIR [--series FILE] [--rounds N] [--scale 1.0] [--test]

The SDK runs with its defaults. It addresses http://BUCKET-ACCOUNTID.127.0.0.1:PORT/, a name that does not
resolve. So its HTTP client gets a requests adapter, by a documented argument, that connects to the server.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

import alibabacloud_oss_v2 as oss
import alibabacloud_oss_v2.vectors as ossv
import requests
import urllib3
from alibabacloud_oss_v2.transport import RequestsHttpClient

NAME = "official Python SDK"
BUCKET, INDEX_NAME = "examplebucket", "vectorindex1"


class ToServer(requests.adapters.HTTPAdapter):
    """Connects to the server whatever host the URL names; `Host` stays the URL's. No retries below the SDK's, as in its own."""

    def __init__(self, port, threads):
        retries = urllib3.util.retry.Retry(total=False, redirect=False, raise_on_status=False)
        super().__init__(max_retries=retries, pool_connections=threads, pool_maxsize=threads)
        self.server = f"127.0.0.1:{port}"

    def send(self, request, **kwargs):
        url = urlsplit(request.url)
        request.headers.setdefault("Host", url.netloc)
        request.url = urlunsplit(url._replace(netloc=self.server))
        kwargs["proxies"] = {}
        return super().send(request, **kwargs)


class Deleted(oss.types.HttpResponse):
    """204, without a body."""

    is_closed, is_stream_consumed, status_code, reason, content = True, True, 204, "No Content", b""
    headers = requests.structures.CaseInsensitiveDict({"x-oss-request-id": "534B371674A4D890XXXX"})

    def __init__(self, request):
        self._request = request

    request = property(lambda self: self._request)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self):
        return b""

    def close(self):
        pass

    def iter_bytes(self, **_):
        return iter(())


class AnswersAtOnce(oss.types.HttpClient):
    """No network at all."""

    def send(self, request, **_):
        return Deleted(request)

    def open(self):
        pass

    def close(self):
        pass


def client(http_client, port=80):
    config = oss.config.load_default()
    config.region, config.endpoint, config.account_id = "cn-hangzhou", f"http://127.0.0.1:{port}", "1234567890123456"
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(
        "LTAI5tConformanceKey0001", "yourAccessKeySecretForTests0001")
    config.http_client = http_client
    return ossv.Client(config)


def client_of_server(port, threads):
    config = oss.config.load_default()
    http_client = RequestsHttpClient(
        adapter=ToServer(port, threads),
        connect_timeout=config.connect_timeout,
        readwrite_timeout=config.readwrite_timeout)
    http_client.open()
    http_client.session.trust_env = False
    return client(http_client, port)


def keys(count):
    return [f"{number * 2654435761 % (1 << 32):08x}-7c4e-4d1b-9a57-{number:012x}" for number in range(count)]


def delete(sdk, batch):
    """Whether the batch was deleted, after the SDK's own retries."""
    try:
        sdk.delete_vectors(ossv.models.DeleteVectorsRequest(bucket=BUCKET, index_name=INDEX_NAME, keys=batch))
        return True
    except oss.exceptions.OperationError:
        return False


def send_all(sdk, threads, count, batches):
    """How many of the batches were lost for good."""
    batch = keys(count)
    if threads == 1:
        return sum(not delete(sdk, batch) for _ in range(batches))
    with ThreadPoolExecutor(threads) as pool:
        return sum(not deleted for deleted in pool.map(lambda _: delete(sdk, batch), range(batches)))


def peak_rss():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024


# Runs in a separate process, and prints numbers.

def be_alone(count, times):
    sdk, batch = client(AnswersAtOnce()), keys(count)
    for _ in range(2):
        start = time.process_time()
        for _ in range(times):
            assert delete(sdk, batch)
        spent = time.process_time() - start
    print(1e6 * spent / times)


def be_caller(port, threads, count, times):
    sdk = client_of_server(port, threads)
    assert send_all(sdk, threads, count, 2 * threads) == 0
    wall, cpu = time.perf_counter(), time.process_time()
    assert send_all(sdk, threads, count, times) == 0
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(times / wall, 1e6 * cpu / times, peak_rss())


def be_throttled(port, threads, batches):
    sdk = client_of_server(port, threads)
    start = time.perf_counter()
    lost = send_all(sdk, threads, 500, batches)
    print(time.perf_counter() - start, lost)


# The comparison.

def numbers(*command):
    output = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [float(number) for number in output.split()]


def this_program(*arguments):
    return numbers(sys.executable, __file__, "child", *arguments)


class Server:
    """`server` of the Rust programs, for as long as the block lasts."""

    def __init__(self, programs, *arguments):
        self.command = [str(part) for part in (programs / "server", *arguments)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.said = self.process.stdout.read().split()
        self.process.wait()


def goal(text, measured, bound):
    verdict = f">= {bound:<5} {'met' if measured >= bound else 'MISSED'}"
    print(f"{text:<72} {measured:>8.2f}  {verdict}")


def compare_alone(programs, rounds, is_test):
    ratios, micros = {3: [], 500: []}, {3: [], 500: []}
    for _ in range(rounds):
        for count in ratios:
            [theirs] = this_program("alone", count, 20 if is_test else 3000)
            [ours] = numbers(programs / "requests", "one", count)
            micros[count].append(theirs)
            ratios[count].append(theirs / ours)
    print(f"{'ratio':<72} {'measured':>8}  goal")
    goal(f"CPU of one request, 3 keys: {NAME} / ours", statistics.median(ratios[3]), 30)
    print(f"{f'CPU of one request, 500 keys: {NAME} / ours':<72} {statistics.median(ratios[500]):>8.2f}  -")
    for count, samples in micros.items():
        print(f"whole operation without network, {count} keys: {statistics.median(samples):.1f} us")


def compare_calls(programs, rounds, is_test):
    cases = [(count, threads) for count in (3, 500) for threads in (1, 8)]
    figures = {case: [] for case in cases}
    ratios = {"ours, hyper": [], "ours, ureq": []}
    with Server(programs, "bare") as server:
        for _ in range(rounds):
            for count, threads in cases:
                times = 32 if is_test else 3000
                figures[count, threads].append(this_program("caller", server.port, threads, count, times))
            for name, samples in ratios.items():
                times = 64 if is_test else 20000
                [per_second, *_] = numbers(programs / "calls", "client", name, server.port, 8, times)
                samples.append(per_second / figures[500, 8][-1][0])
    print(f"\n{'ratio':<72} {'measured':>8}  goal")
    for name, samples in ratios.items():
        goal(f"requests/s, concurrency 8, 500 keys: {name} / {NAME}", statistics.median(samples), 10)
    print(f"\n{'absolute':<24} {'keys':>4} {'concurrency':>11} {'requests/s':>12} {'CPU a request':>16} {'peak RSS':>10}")
    for (count, threads), samples in figures.items():
        per_second, cpu, rss = (statistics.median(column) for column in zip(*samples))
        print(f"{NAME:<24} {count:>4} {threads:>11} {per_second:>12.0f} {cpu:>13.1f} us {rss:>6.1f} MiB")


def compare_throttled(programs, scale, is_test, series):
    if series:
        pathlib.Path(series).write_text("")  # the server appends each run
    print("\nlimit      client                       wide latency wall/ideal throttled   lost       wall attempts batches")
    for limit, per_second, latency, full in (("requests", 50, 0, 2000), ("requests", 50, 20, 1000),
                                             ("documented", 5, 0, 300), ("documented", 5, 20, 300)):
        # At least two more than the bucket holds: fewer would never be throttled.
        batches = max(0 if is_test else int(full * scale), per_second + 2)
        for threads in (8, 32):
            recorded = [NAME, threads, batches, series] if series else []
            with Server(programs, "throttled", limit, latency, *recorded) as server:
                wall, lost = this_program("throttled", server.port, threads, batches)
            accepted, refused = (int(number) for number in server.said)
            attempts = accepted + refused
            print(f"{limit:<10} {NAME:<28} {threads:>4} {latency:>4} ms {wall / (batches / per_second - 1):>10.3f}"
                  f" {100 * refused / attempts:>7.1f} % {lost:>6.0f} {wall:>8.1f} s {attempts:>8} {batches:>7}", flush=True)


def main():
    if sys.argv[1:2] == ["child"]:
        what, *arguments = sys.argv[2:]
        {"alone": be_alone, "caller": be_caller, "throttled": be_throttled}[what](*map(int, arguments))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="where the Rust programs are")
    parser.add_argument("--series", help="write what arrived over time, for chart")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the batches of the throttled runs")
    parser.add_argument("--test", action="store_true", help="everything once, in seconds")
    options = parser.parse_args()
    rounds = 1 if options.test else options.rounds
    compare_alone(options.programs, rounds, options.test)
    compare_calls(options.programs, rounds, options.test)
    compare_throttled(options.programs, options.scale, options.test, options.series)


if __name__ == "__main__":
    main()
