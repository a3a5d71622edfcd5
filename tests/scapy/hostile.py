#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Odd and hostile messages, made by scapy's Diameter layer, to an appliance over kernel TCP.

    hostile.py HOST PORT MSISDN

Each case has a connection of its own, which has exchanged capabilities. A line a case, "ok NAME" or
"FAIL NAME: ..."; exit code 0 only if every answer was as expected. Run by Debian's own python3,
which has scapy (python3-scapy).
"""
import socket
import struct
import sys
import warnings

warnings.filterwarnings('ignore')
from scapy.contrib.diameter import AVP, DiamG, DiamReq  # noqa: E402

HOST = 'scapy.client.example'
ANSWER_S = 10
RESULT_CODE, FAILED_AVP = 268, 279
GX = 16777238
CLOSED = 'closed'


class Peer:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=ANSWER_S)
        self.octets = b''
        self.ask(bytes(DiamReq('Capabilities-Exchange', drHbHId=1, drEtEId=1, avpList=[
            AVP('Origin-Host', val=HOST), AVP('Origin-Realm', val='client.example'),
            AVP('Host-IP-Address', val='198.18.0.2'), AVP('Vendor-Id', val=0),
            AVP('Product-Name', val='scapy'), AVP('Auth-Application-Id', val=4)])))

    def take(self, count):
        """So many octets; fewer if the connection ends."""
        while len(self.octets) < count:
            more = self.socket.recv(65536)
            if not more:
                break
            self.octets += more
        taken, self.octets = self.octets[:count], self.octets[count:]
        return taken

    def receive(self):
        try:
            head = self.take(20)
            if len(head) < 20:
                return None
            return head + self.take(struct.unpack('>I', head[:4])[0] % (1 << 24) - 20)
        except ConnectionResetError:
            return None

    def ask(self, octets, piece=None):
        for at in range(0, len(octets), piece or len(octets)):
            self.socket.sendall(octets[at:at + (piece or len(octets))])
        return self.receive()


def avps(octets):
    """(code, data) of each AVP of a group, as far as lengths lead."""
    at = 0
    while at + 8 <= len(octets):
        code, word = struct.unpack('>II', octets[at:at + 8])
        length, head = word % (1 << 24), 12 if word >> 31 else 8
        yield code, octets[at + head:at + length]
        at += max(length + 3 & ~3, 8)


def verdict(message):
    """'2001', '5005 416' with the code of what failed, 'closed'."""
    if message is None:
        return CLOSED
    DiamG(message)  # scapy takes it apart as well
    found = dict(avps(message[20:]))
    code = str(struct.unpack('>I', found[RESULT_CODE])[0])
    failed = [str(inner) for inner, _ in avps(found.get(FAILED_AVP, b''))]
    return ' '.join([code, *failed])


class Cases:
    """A good INITIAL request, and what becomes of it."""

    def __init__(self, msisdn):
        self.msisdn, self.number = msisdn, 0

    def ccr(self, leave_out=(), more=()):
        self.number += 1
        wanted = [
            AVP('Session-Id', val=f'{HOST};{self.number}'), AVP('Origin-Host', val=HOST),
            AVP('Origin-Realm', val='client.example'),
            AVP('Destination-Realm', val='tollgate.example'), AVP('Auth-Application-Id', val=4),
            AVP('Service-Context-Id', val='32251@3gpp.org'), AVP('CC-Request-Type', val=1),
            AVP('CC-Request-Number', val=0),
            AVP('Subscription-Id', val=[AVP('Subscription-Id-Type', val=0),
                                        AVP('Subscription-Id-Data', val=self.msisdn)])]
        kept = [avp for avp in wanted if avp.avpCode not in leave_out]
        return bytes(DiamReq('Credit-Control', drAppId=4, drHbHId=self.number, drEtEId=self.number,
                             avpList=kept + list(more)))

    @staticmethod
    def raw(code, data, flags=0x40, length=None):
        length = len(data) + 8 if length is None else length
        return struct.pack('>II', code, flags << 24 | length) + data + b'\0' * (-len(data) % 4)

    def with_raw(self, *octets):
        """A good request with octets behind it that scapy would not make."""
        message = bytearray(self.ccr() + b''.join(octets))
        message[1:4] = struct.pack('>I', len(message))[1:]
        return bytes(message)

    def changed(self, at, octets):
        message = self.ccr()
        return message[:at] + octets + message[at + len(octets):]

    def nested(self, depth):
        data = b''
        for _ in range(depth):
            data = self.raw(456, data)
        return data

    def all(self):
        """name, octets, in pieces of so many octets, what is answered"""
        yield 'a good one', self.ccr(), None, '2001'
        yield 'octet by octet', self.ccr(), 1, '2001'
        yield 'no CC-Request-Type', self.ccr(leave_out=(416,)), None, '5005 416'
        yield 'no Session-Id', self.ccr(leave_out=(263,)), None, '5005 263'
        yield 'a CC-Request-Type of 9', self.ccr((416,), [AVP(416, val=9)]), None, '5004 416'
        yield 'two CC-Request-Numbers', self.ccr(more=[AVP(415, val=1)]), None, '5009 415'
        yield 'an unknown AVP that must be known', self.with_raw(self.raw(65000, b'abcd')), None, \
            '5001 65000'
        yield 'an unknown AVP that need not', self.with_raw(self.raw(65000, b'abcd', flags=0)), \
            None, '2001'
        yield 'an AVP longer than the message', \
            self.with_raw(self.raw(65000, b'abcd', length=9000)), None, '5014 65000'
        yield 'an AVP shorter than its head', self.with_raw(self.raw(65000, b'', length=3)), None, \
            '5014 65000'
        yield 'groups in groups', self.with_raw(self.nested(1000)), None, '5012'
        yield 'a thousand AVPs', \
            self.with_raw(*[self.raw(65000, b'', flags=0)] * 1000), None, '2001'
        yield 'a request that is an error', self.changed(4, b'\xe0'), None, '3008'
        yield 'a command of nobody', self.changed(5, b'\x0f\xff\xff'), None, '3001'
        yield 'the same command of Gx', self.changed(8, struct.pack('>I', GX)), None, '3007'
        yield 'version 2', self.changed(0, b'\x02'), None, '5011'
        yield 'a length of 19', self.changed(1, b'\0\0\x13'), None, '5015'
        yield 'a length of 16 MiB', self.changed(1, b'\xff\xff\xfc'), None, '5015'


def main():
    host, port, msisdn = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    failed = 0
    for name, octets, piece, wanted in Cases(msisdn).all():
        peer = Peer(host, port)
        got = verdict(peer.ask(octets, piece))
        print(f'ok {name}: {got}' if got == wanted else f'FAIL {name}: {got}, not {wanted}',
              flush=True)
        failed += got != wanted
        peer.socket.close()
    return min(failed, 1)


if __name__ == '__main__':
    sys.exit(main())
