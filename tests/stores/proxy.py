"""A proxy of HTTP/1.1 that spoils requests at random: 5 % answered 503, 5 % reset, 5 % cut short, 1 % held for 2 s.

Each request goes to the store over a connection of its own; bodies are passed on whole.
"""
import http.client
import http.server
import random
import threading
import time


def start(upstream_port, seed, latency=0.0, faults=True, bandwidth=0.0):
    """Returns (port, counts); the proxy runs until the process ends.

    latency: seconds that each request takes; bandwidth: bytes a second of all answers together, 0 for no bound.
    """
    chance = random.Random(seed)
    lock = threading.Lock()
    line = {"free_at": 0.0}
    counts = {"requests": 0, "busy": 0, "reset": 0, "short": 0, "held": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *arguments):
            pass

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
                value = chance.random() if faults else 1.0
                kind = ("busy" if value < 0.05 else "reset" if value < 0.10 else "short" if value < 0.15 else
                        "held" if value < 0.16 else None)
                if kind:
                    counts[kind] += 1
                return kind

        def serve(self):
            body = self.read_body()
            kind = self.draw()
            if latency:
                time.sleep(latency)
            if kind == "reset":
                self.close_connection = True
                return
            if kind == "busy":
                text = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>slow down</Message></Error>"
                self.send_response(503)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)
                return
            if kind == "held":
                time.sleep(2)
            store = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "transfer-encoding",
                                                                                  "expect")}
            if body and "Content-Length" not in headers:
                headers["Content-Length"] = str(len(body))
            store.request(self.command, self.path, body=body or None, headers=headers)
            answer = store.getresponse()
            data = answer.read()
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
