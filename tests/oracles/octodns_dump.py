"""Prints the records octoDNS reads for one zone, as JSON lines.

usage: octodns_dump.py DIRECTORY ZONE SPLIT_EXTENSION|- DEFAULT_TTL

Exits with 3 when octoDNS cannot be imported.
"""

import json
import sys
import warnings

warnings.simplefilter('ignore')

try:
    from octodns.provider.yaml import YamlProvider
    from octodns.zone import Zone
except ImportError:
    sys.exit(3)


def computed(record):
    octodns = record.octodns or {}
    proxied = (octodns.get('cloudflare') or {}).get('proxied', False)
    return bool(
        octodns.get('ignored')
        or octodns.get('included')
        or octodns.get('excluded')
        or getattr(record, 'dynamic', False)
        or getattr(record, 'geo', False)
        or (proxied and record._type in ('A', 'AAAA', 'CNAME', 'ALIAS'))
        or record._type in ('ALIAS', 'URLFWD')
    )


def text(record, value):
    if record._type in ('TXT', 'SPF'):
        return value.replace('\\;', ';')
    return value.to_rdata_text()


def main():
    directory, name, extension, ttl = sys.argv[1:5]
    provider = YamlProvider(
        'dump',
        directory,
        default_ttl=int(ttl),
        enforce_order=False,
        split_extension=False if extension == '-' else extension,
        escaped_semicolons=True,
    )
    zone = Zone(name, [])
    provider.populate(zone, lenient=True)
    for record in sorted(zone.records):
        values = getattr(record, 'values', None)
        if values is None:
            values = [record.value]
        print(
            json.dumps(
                {
                    'name': record.fqdn,
                    'type': record._type,
                    'ttl': record.ttl,
                    'computed': computed(record),
                    'values': sorted(text(record, value) for value in values),
                }
            )
        )


main()
