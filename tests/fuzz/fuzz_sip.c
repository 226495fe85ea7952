/* What a SIP server answers: any bytes. It is read within bounds, and a head that is cut is not yet another
 * one. */
#include "monitor/kinds/sip_answer.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const char *bytes = (const char *)data;
        struct sip_answer whole, cut;
        int r = sip_answer_read(bytes, n, "z9hG4bK1", &whole);

        assert(r == 0 || r == -EAGAIN || r == -EBADMSG);
        if (r != 0)
                return 0;
        assert(whole.status >= 100 && whole.status <= 699);
        for (size_t i = 0; i < n && i < 64; i++) {
                int early = sip_answer_read(bytes, i, "z9hG4bK1", &cut);
                assert(early == -EAGAIN || (early == 0 && cut.size == whole.size));
        }
        return 0;
}
