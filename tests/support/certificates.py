# SPDX-License-Identifier: MIT
"""Certificates for servers on this machine: good ones, expired ones, of one authority or another."""

import subprocess

CONFIG = """[ca]
default_ca = this
[this]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""


KEY = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]  # made in no time


class Certificates:
    """An authority with its files in a folder: ca.pem, ca.key, then NAME.pem, NAME.key."""

    def __init__(self, folder, authority="Test CA"):
        self.folder = folder
        folder.mkdir()
        (folder / "config").write_text(CONFIG)
        (folder / "index").write_text("")
        self.run("req", "-x509", "-newkey", *KEY, "-nodes", "-subj", f"/CN={authority}", "-days", "30", "-keyout", "ca.key",
                 "-out", "ca.pem")
        self.ca = folder / "ca.pem"

    def run(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

    def make(self, name, subject="IP:127.0.0.1", first="20200101000000Z", last="20400101000000Z"):
        """(certificate, key) for a server with that address."""
        (self.folder / f"{name}.names").write_text(f"subjectAltName={subject}\n")
        self.run("req", "-newkey", *KEY, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.req")
        self.run("ca", "-batch", "-notext", "-config", "config", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.req",
                 "-extfile", f"{name}.names", "-startdate", first, "-enddate", last, "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def make_expired(self, name):
        return self.make(name, last="20200201000000Z")
