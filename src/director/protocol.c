/* A file of its own: haven-nft takes no more of the table than this. */
#include "director/table.h"

#include <netinet/in.h>

const char *protocol_name(uint8_t protocol)
{
        switch (protocol) {
        case IPPROTO_TCP: return "tcp";
        case IPPROTO_UDP: return "udp";
        case IPPROTO_SCTP: return "sctp";
        default: return "?";
        }
}
