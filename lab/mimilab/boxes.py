"""The middlebox: a load balancer that picks a random backend for each connection, and hides the
clients behind its own address. Rules and settings are the same on primary and minion.

A box of which nothing but its log is known (the syslog driver) leaves the clients' addresses as
they are: no log line tells the port that a masquerade chose.
"""
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

LOG_GROUP = 5

# The box that logs, as iptables-restore reads it: each backend's chain logs the connection, with
# the backend in the prefix, before it translates; and packets that end one.
LOGGED_RULES = """
*nat
:PREROUTING ACCEPT
:BALANCE -
{chains}
-A PREROUTING -d {vip} -p tcp --dport 80 -j BALANCE
{choices}
{backends}
COMMIT
*mangle
:PREROUTING ACCEPT
-A PREROUTING -d {vip} -p tcp --tcp-flags FIN FIN {log} "mimi-end "
-A PREROUTING -d {vip} -p tcp --tcp-flags RST RST {log} "mimi-end "
COMMIT
*filter
:FORWARD ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
COMMIT
"""


def logged_rules():
    log = f"-j NFLOG --nflog-group {LOG_GROUP} --nflog-prefix"
    choices, backends = [], []
    for number, name in enumerate(SERVERS):
        left = len(SERVERS) - number
        choices.append(f"-A BALANCE -m statistic --mode random --probability {1 / left:.6f} "
                       f"-j {name}" if left > 1 else f"-A BALANCE -j {name}")
        backends.append(f'-A {name} {log} "mimi:{server_ip(name)} "')
        backends.append(f"-A {name} -p tcp -j DNAT --to-destination {server_ip(name)}")
    return LOGGED_RULES.format(vip=VIRTUAL_IP, log=log,
                               chains="\n".join(f":{name} -" for name in SERVERS),
                               choices="\n".join(choices), backends="\n".join(backends))


def log_flows(box):
    run("nft", "-f", "-", inside=box, feed=LOGGING)


def set_up(box, logged):
    if logged:
        run("iptables-restore", inside=box, feed=logged_rules())
    else:
        backends = ", ".join(f"{n} : {server_ip(name)}" for n, name in enumerate(SERVERS))
        run("nft", "-f", "-", inside=box,
            feed=RULES.format(vip=VIRTUAL_IP, count=len(SERVERS), backends=backends))
    # be_liberal: without it the way back kills flows whose windows moved meanwhile. Time-wait:
    # the default of 120 s fills the table within one run.
    setting(box, net__netfilter__nf_conntrack_tcp_be_liberal=1,
            net__netfilter__nf_conntrack_tcp_timeout_time_wait=10)


def set_up_all(logged):
    for box in BOXES:
        set_up(box, logged)


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
