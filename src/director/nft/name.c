#include "director/nft/name.h"

#include <stdio.h>
#include <string.h>

static const char *plain(const struct ip *ip, char text[static IP_TEXT])
{
        ip_format(ip, text);
        for (char *c = text; *c; c++)
                if (*c == ':')
                        *c = '-';
        return text;
}

const char *nft_service_name(const struct virtual_key *key, char name[static NFT_NAME])
{
        char ip[IP_TEXT];

        snprintf(name, NFT_NAME, "%s/%s/%u", protocol_name(key->protocol), plain(&key->ip, ip), key->port);
        return name;
}

const char *nft_server_name(const struct virtual_key *key, const struct ip *ip, uint16_t port,
                            char name[static NFT_NAME])
{
        char text[IP_TEXT];

        nft_service_name(key, name);
        size_t n = strlen(name);
        snprintf(name + n, NFT_NAME - n, "/%s/%u", plain(ip, text), port);
        return name;
}
