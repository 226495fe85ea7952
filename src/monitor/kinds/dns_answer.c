#include "monitor/kinds/dns_answer.h"

#include "base/bytes.h"
#include "base/ip.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

static const int numbers[] = {
        [DNS_A] = ns_t_a,     [DNS_AAAA] = ns_t_aaaa, [DNS_CNAME] = ns_t_cname,
        [DNS_MX] = ns_t_mx,   [DNS_NS] = ns_t_ns,     [DNS_PTR] = ns_t_ptr,
        [DNS_SOA] = ns_t_soa, [DNS_SRV] = ns_t_srv,   [DNS_TXT] = ns_t_txt,
};

int dns_type_number(enum dns_type type)
{
        return numbers[type];
}

/* The name at the cursor; names may point back into the whole message. */
static bool read_name(const ns_msg *m, struct reader *r, char name[static NS_MAXDNAME])
{
        int n = ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), r->at, name, NS_MAXDNAME);

        if (n == -1 || get_bytes(r, (size_t)n) == NULL)
                return false;
        name[strcspn(name, "\n")] = '\0';
        return true;
}

static bool read_address(struct reader *r, int family, char *text)
{
        const uint8_t *bytes = get_bytes(r, family == AF_INET ? 4 : 16);

        return bytes != NULL && inet_ntop(family, bytes, text, DNS_RECORD_TEXT) != NULL;
}

/* The first string of it. */
static bool read_txt(struct reader *r, char *text)
{
        size_t n = get_u8(r);
        const uint8_t *bytes = get_bytes(r, n);

        if (bytes == NULL)
                return false;
        snprintf(text, DNS_RECORD_TEXT, "%.*s", (int)n, (const char *)bytes);
        return true;
}

static bool read_record(const ns_msg *m, const ns_rr *rr, enum dns_type type, char *text)
{
        char name[NS_MAXDNAME], second[NS_MAXDNAME];
        unsigned a, b, c;
        struct reader r;

        reader_init(&r, ns_rr_rdata(*rr), ns_rr_rdlen(*rr));
        switch (type) {
        case DNS_A: return read_address(&r, AF_INET, text);
        case DNS_AAAA: return read_address(&r, AF_INET6, text);
        case DNS_CNAME:
        case DNS_NS:
        case DNS_PTR:
                if (!read_name(m, &r, name))
                        return false;
                snprintf(text, DNS_RECORD_TEXT, "%.255s", name);
                return true;
        case DNS_MX:
                a = get_u16(&r);
                if (r.failed || !read_name(m, &r, name))
                        return false;
                snprintf(text, DNS_RECORD_TEXT, "%u %.255s", a, name);
                return true;
        case DNS_SOA:
                if (!read_name(m, &r, name) || !read_name(m, &r, second))
                        return false;
                snprintf(text, DNS_RECORD_TEXT, "%u", get_u32(&r));
                return !r.failed;
        case DNS_SRV:
                a = get_u16(&r);
                b = get_u16(&r);
                c = get_u16(&r);
                if (r.failed || !read_name(m, &r, name))
                        return false;
                snprintf(text, DNS_RECORD_TEXT, "%u %u %u %.255s", a, b, c, name);
                return true;
        case DNS_TXT: return read_txt(&r, text);
        }
        return false;
}

int dns_answer_read(const uint8_t *bytes, size_t size, enum dns_type type, struct dns_answer *ret_answer)
{
        ns_msg m;
        ns_rr rr;

        ret_answer->count = 0;
        if (size > NS_MAXMSG || ns_initparse(bytes, (int)size, &m) == -1)
                return -EBADMSG;
        for (int i = 0; i < ns_msg_count(m, ns_s_an) && ret_answer->count < DNS_RECORDS_MAX; i++) {
                if (ns_parserr(&m, ns_s_an, i, &rr) == -1)
                        return -EBADMSG;
                if ((int)ns_rr_type(rr) != numbers[type] || ns_rr_class(rr) != ns_c_in)
                        continue;
                if (!read_record(&m, &rr, type, ret_answer->text[ret_answer->count]))
                        return -EBADMSG;
                ret_answer->count++;
        }
        return 0;
}
