# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The real Diameter clients of the tests, each in a configuration of its own: OTP's diameter and
freeDiameter. Both play a table of steps (steps.py) and report a line a step."""
import pathlib

from lab import APPLIANCE, CLIENT, PORT, ROOT, fail, run, start, stop, tail, wait_for
import steps

ORIGINS = {'otp': 'ctf-otp.client.example', 'freediameter': 'ctf-fd.client.example'}
FREEDIAMETER_EXTENSIONS = pathlib.Path('/usr/lib/freeDiameter')


def flat_steps(work, table, client, names):
    """Writes the flat table for one client and returns its file and the Session-Ids in it."""
    flat = steps.expand((ROOT / 'tests' / 'e2e' / table).read_text(), client,
                        f'{ORIGINS[client]};{work.name}', names)
    path = work / f'{pathlib.Path(table).stem}.{client}.steps'
    path.write_text('\n'.join(flat) + '\n')
    return path


def erl(build, module, *words):
    return ['erl', '-noshell', '-pa', build / 'tests' / 'erlang', '-run', module, 'main', *words]


def play_otp(build, work, table, names, answers=None, host=APPLIANCE):
    """answers: what the test does when the client waits for the server to ask, by the step."""
    path = flat_steps(work, table, 'otp', names)
    log = path.with_suffix('.log')
    child = start(log, *erl(build, 'ro_client', host, PORT, path), cwd=work)
    for step, act in (answers or {}).items():
        wait_for(f'the client before {step}',
                 lambda: f'waiting step={step}' in log.read_text(errors='replace'))
        act()
    finish(child, log, path)


def play_freediameter(build, work, table, names, peer):
    """peer is the identity that the server must show; freeDiameter checks it."""
    path = flat_steps(work, table, 'freediameter', names)
    log = path.with_suffix('.log')
    certificate, key = work / 'freediameter.pem', work / 'freediameter.key'
    make_certificate(ORIGINS['freediameter'], certificate, key)
    config = work / 'freediameter.conf'
    config.write_text(f'''Identity = "{ORIGINS['freediameter']}";
Realm = "client.example";
Port = 3868;
SecPort = 0;
No_SCTP;
No_IPv6;
ListenOn = "{CLIENT}";
TLS_Cred = "{certificate}", "{key}";
TLS_CA = "{certificate}";
LoadExtension = "{FREEDIAMETER_EXTENSIONS}/dict_nasreq.fdx";
LoadExtension = "{FREEDIAMETER_EXTENSIONS}/dict_dcca.fdx";
LoadExtension = "{FREEDIAMETER_EXTENSIONS}/dict_dcca_3gpp.fdx";
LoadExtension = "{build}/tests/freediameter/ctf.fdx" : "{path}";
ConnectPeer = "{peer}" {{ No_TLS; ConnectTo = "{APPLIANCE}"; Port = {PORT}; }};
''')
    child = start(log, 'freeDiameterd', '-c', config, cwd=work)
    finish(child, log, path)


def make_certificate(name, certificate, key):
    """freeDiameter does not start without one, though its peers are plain TCP."""
    run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
        f'/CN={name}', '-keyout', key, '-out', certificate)


def start_relay(work, name, client):
    """freeDiameter between a client and the appliance: it relays by realm, knows the dictionary of
    credit control, and lets nobody else in."""
    certificate, key = work / 'relay.pem', work / 'relay.key'
    make_certificate(name, certificate, key)
    allowed, config = work / 'relay.acl', work / 'relay.conf'
    allowed.write_text(f'ALLOW_IPSEC {client}\n')
    config.write_text(f'''Identity = "{name}";
Realm = "{name.partition('.')[2]}";
Port = {PORT};
SecPort = 0;
No_SCTP;
No_IPv6;
ListenOn = "{CLIENT}";
TLS_Cred = "{certificate}", "{key}";
TLS_CA = "{certificate}";
LoadExtension = "{FREEDIAMETER_EXTENSIONS}/dict_nasreq.fdx";
LoadExtension = "{FREEDIAMETER_EXTENSIONS}/dict_dcca.fdx";
LoadExtension = "{FREEDIAMETER_EXTENSIONS}/dict_dcca_3gpp.fdx";
LoadExtension = "{FREEDIAMETER_EXTENSIONS}/acl_wl.fdx" : "{allowed}";
ConnectPeer = "ocs.tollgate.example" {{ No_TLS; ConnectTo = "{APPLIANCE}"; Port = {PORT}; }};
''')
    return start(work / 'relay.log', 'freeDiameterd', '-c', config, cwd=work)


def finish(child, log, path):
    """Waits for the client's summary, prints its report, and fails if a step did."""
    def summary():
        lines = log.read_text(errors='replace').splitlines()
        return [line for line in lines if line.startswith('summary ')] or child.poll() is not None
    wait_for(f'the summary of {log.name}', summary, timeout_s=120)
    stop(child)
    report = [line for line in log.read_text(errors='replace').splitlines()
              if line.startswith(('ok ', 'FAIL ', 'summary '))]
    print(f'-- {log.stem}', *report, sep='\n')
    count = len(path.read_text().splitlines())
    if not report or report[-1] != f'summary steps={count} failed=0':
        failed = [line for line in report if line.startswith('FAIL')]
        fail(f'{log.stem}: ' + ('\n'.join(failed) if failed else 'no whole run:\n' + tail(log)))
