"""Certificates for tests, made with the openssl program: an authority, and what it signs."""
import pathlib, subprocess, typing


class Identity(typing.NamedTuple):
    cert_file: str
    key_file: str


class Certificates:
    """An authority that lives in a folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ca_file = str(self.folder / "ca.crt")
        self.ca_key = str(self.folder / "ca.key")
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                  "/CN=test authority", "-keyout", self.ca_key, "-out", self.ca_file)

    def issue(self, name):
        """Makes a certificate for a name, good for localhost and 127.0.0.1 too."""
        made = Identity(str(self.folder / f"{name}.crt"), str(self.folder / f"{name}.key"))
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                  "-keyout", made.key_file, "-out", str(request))
        self._run("x509", "-req", "-in", str(request), "-CA", self.ca_file, "-CAkey", self.ca_key, "-CAcreateserial",
                  "-days", "2", "-extfile", str(extensions), "-out", made.cert_file)
        return made

    @staticmethod
    def _run(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
