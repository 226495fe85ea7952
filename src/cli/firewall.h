/* firewall.h - nftables rules that leave the heartbeat to the cluster's own nodes.
 *
 * One table `inet haven`, replaced as a whole in one transaction, so that piping the rules in again is safe.
 * It judges two things on this node's link addresses, the heartbeat's UDP port and echo requests, and nothing
 * else: neighbour discovery, path MTU messages, echo replies and all other traffic pass by untouched. Packets
 * are sealed anyway; the rules keep strangers from costing us work, and from learning which nodes there are.
 */
#pragma once

#include "config/config.h"

#include <stdio.h>

/* `self`: index into config.node. */
void firewall_print(const struct config *c, int self, FILE *to);
/* The rules that take the table away, if it is there. */
void firewall_print_removal(FILE *to);
