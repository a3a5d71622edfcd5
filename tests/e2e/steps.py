# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""Tables of charging steps: what a client sends, and what the answer must hold.

A table is written for people; the clients (tests/erlang, tests/freediameter) get it flat, one
request a line, everything spelled out.

    with session=data msisdn=$payer rg=10     # words that stand in every step until the next with
    step=initial type=I number=0 ask=octets:1024000
      -> result=2001 mscc=2001 grant=octets:1024000 final=no

Words of a request:
    step=NAME         its name in the report
    session=NAME      Session-Id; made unique by the client's Origin-Host and the run
    type=I|U|T|E      CC-Request-Type: initial, update, termination, event
    number=N          CC-Request-Number
    context=TEXT      Service-Context-Id; without it 32251@3gpp.org
    msisdn= imsi=     Subscription-Id, each if given
    rg=N              one MSCC with this Rating-Group; without it units stand outside of any MSCC
    ask=UNIT:N|any    Requested-Service-Unit; any: an empty one. UNIT: octets, time, units
    used=UNIT:N       Used-Service-Unit
    action=NAME       Requested-Action: direct, refund, balance, price
    repeat=STEP       a retransmission: the end-to-end identifier of that step, and the T flag
    after=rar|asr     only when the server has asked for it, with a RAR or an ASR (otp)
    conn=2            on a second connection of the same Origin-Host
    only=otp          for this client alone (freeDiameter has one connection a peer)

Words of an answer, each checked only where it stands:
    result=CODE mscc=CODE|none|absent grant=UNIT:N|none final=no|terminate|redirect|restrict
    grammar=ok        strict decoding found nothing wrong and nothing unknown; added to every step
"""
import string


def expand(text, client, session_prefix, names):
    """The flat table for one client; names are the values of $words."""
    flat, defaults = [], {}
    for line in joined_lines(string.Template(text).substitute(names)):
        request, _, expected = line.partition('->')
        words = request.split()
        if words[0] == 'with':
            defaults = parse_words(words[1:])
            continue
        step = {**defaults, **parse_words(words)}
        if step.pop('only', client) != client:
            continue
        step['session'] = f'{session_prefix};{step["session"]}'
        flat.append(' '.join(f'{key}={value}' for key, value in step.items())
                    + f' -> {" ".join(expected.split())} grammar=ok')
    return flat


def joined_lines(text):
    """Lines without comments; one that begins with -> goes on from the line before."""
    joined = []
    for line in text.splitlines():
        line = line.partition('#')[0].strip()
        if line.startswith('->') and joined:
            joined[-1] += ' ' + line
        elif line:
            joined.append(line)
    return joined


def parse_words(words):
    return dict(word.split('=', 1) for word in words)
