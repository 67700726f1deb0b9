"""A proxy of HTTP/1.1 that spoils requests at random: 5 % answered 503, 5 % reset, 5 % carried out and their answers
lost, 5 % answers cut short, 1 % held for 2 s.

Each request goes to the store over a connection of its own; headers are passed on as they are, bodies whole. One whose
body does not come is answered 408 after a second: Azure's SDK sends a request whose connection broke once more without
its body, and would wait a minute for the answer.

`counts` tells of all requests by method, and of the bytes of all answers.
"""
import http.client
import http.server
import random
import threading
import time


FAULTS = ("busy", "reset", "lost", "short", "held", "bodiless")


def describe(counts):
    """Returns what a proxy has spoilt, as text."""
    return f", {counts['requests']} requests" + "".join(f", {counts[kind]} {kind}" for kind in FAULTS)


def start(upstream_port, seed, latency=0.0, faults=True, bandwidth=0.0):
    """Returns (port, counts); the proxy runs until the process ends.

    latency: seconds that each request takes; bandwidth: bytes a second of all answers together, 0 for no bound.
    """
    chance = random.Random(seed)
    lock = threading.Lock()
    line = {"free_at": 0.0}
    counts = {"requests": 0, "busy": 0, "reset": 0, "lost": 0, "short": 0, "held": 0, "bodiless": 0,
              "GET": 0, "HEAD": 0, "PUT": 0, "POST": 0, "DELETE": 0, "bytes": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *arguments):
            pass

        def handle_expect_100(self):
            go_on = super().handle_expect_100()
            self.wfile.flush()  # else a client waits a second for it
            return go_on

        def read_body(self):
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                body = b""
                while True:
                    size = int(self.rfile.readline().split(b";")[0], 16)
                    body += self.rfile.read(size)
                    self.rfile.readline()
                    if size == 0:
                        return body
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def draw(self):
            with lock:
                counts["requests"] += 1
                counts[self.command] += 1
                value = chance.random() if faults else 1.0
                kind = ("busy" if value < 0.05 else "reset" if value < 0.10 else "lost" if value < 0.15 else
                        "short" if value < 0.20 else "held" if value < 0.21 else None)
                if kind:
                    counts[kind] += 1
                return kind

        def answer(self, status, code):
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as told</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def serve(self):
            self.connection.settimeout(1)
            try:
                body = self.read_body()
                if len(body) < int(self.headers.get("Content-Length", 0)):
                    self.close_connection = True
                    return
            except TimeoutError:
                with lock:
                    counts["bodiless"] += 1
                self.close_connection = True
                self.answer(408, "RequestTimeout")
                return
            self.connection.settimeout(None)
            kind = self.draw()
            if latency:
                time.sleep(latency)
            if kind == "reset":
                self.close_connection = True
                return
            if kind == "busy":
                self.answer(503, "SlowDown")
                return
            if kind == "held":
                time.sleep(2)
            store = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=60)
            store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for key, value in self.headers.items():
                if key.lower() not in ("connection", "transfer-encoding", "expect"):
                    store.putheader(key, value)
            if "Transfer-Encoding" in self.headers:
                store.putheader("Content-Length", str(len(body)))
            store.endheaders(body or None)
            answer = store.getresponse()
            data = answer.read()
            with lock:
                counts["bytes"] += len(data)
            if kind == "lost":
                self.close_connection = True
                store.close()
                return
            if bandwidth:
                with lock:
                    line["free_at"] = max(line["free_at"], time.monotonic()) + len(data) / bandwidth
                    wait = line["free_at"] - time.monotonic()
                time.sleep(max(wait, 0))
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in ("connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"):
                    self.send_header(key, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            if self.command != "HEAD":
                if kind == "short" and data and answer.status in (200, 206):
                    self.wfile.write(data[:len(data) // 2])
                    self.close_connection = True
                else:
                    self.wfile.write(data)
            store.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request, client_address):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1], counts
