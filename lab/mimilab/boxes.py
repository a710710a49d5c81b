"""The middlebox: a load balancer that picks a random backend for each connection, and hides the
clients behind its own address. Rules and settings are the same on primary and minion."""
from .world import BOXES, SERVERS, VIRTUAL_IP, run, server_ip, setting

RULES = """
table ip balancer {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    ip daddr {vip} tcp dport 80 dnat to numgen random mod {count} map {{ {backends} }}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat
    oifname servers masquerade
  }}
  chain forward {{
    type filter hook forward priority filter
    ct state invalid drop
  }}
}}
"""

# Each flow once, when it is assured: as its client sends it (group 1) and as its server sees it
# (group 2); and TCP's end. What an operator adds to a box for the nflog driver.
LOGGING = """
table inet flows {
  chain as_sent {
    type filter hook prerouting priority -140;
    ct direction reply return
    tcp flags & (fin | rst) != 0x0 log group 1 snaplen 64 return
    ct status and 0x4 != 0x0 ct mark and 0x20000000 == 0x0 log group 1 snaplen 64
  }
  chain translated {
    type filter hook postrouting priority 110;
    ct direction reply return
    tcp flags & (fin | rst) != 0x0 return
    ct status and 0x4 != 0x0 ct mark and 0x20000000 == 0x0 goto logged
  }
  chain logged {
    log group 2 snaplen 64
    ct mark set ct mark or 0x20000000
  }
}
"""


def log_flows(box):
    run("nft", "-f", "-", inside=box, feed=LOGGING)


def set_up(box):
    backends = ", ".join(f"{n} : {server_ip(name)}" for n, name in enumerate(SERVERS))
    run("nft", "-f", "-", inside=box,
        feed=RULES.format(vip=VIRTUAL_IP, count=len(SERVERS), backends=backends))
    # be_liberal: without it the way back kills flows whose windows moved meanwhile. Time-wait:
    # the default of 120 s fills the table within one run.
    setting(box, net__netfilter__nf_conntrack_tcp_be_liberal=1,
            net__netfilter__nf_conntrack_tcp_timeout_time_wait=10)


def set_up_all():
    for box in BOXES:
        set_up(box)


def flows(box):
    return int(run("sysctl", "-n", "net.netfilter.nf_conntrack_count", inside=box))


def blackhole(box, on):
    """The box is dead though its links are up: it takes every packet and answers none."""
    if on:
        run("nft", "-f", "-", inside=box, feed="""
            table inet dead {
              chain in { type filter hook prerouting priority -500; drop; }
              chain out { type filter hook output priority -500; drop; }
            }""")
    else:
        run("nft", "delete", "table", "inet", "dead", inside=box)
