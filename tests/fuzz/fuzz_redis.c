/* What a Redis server answers: any bytes, in two pieces cut anywhere. It is read within bounds, the cut
 * changes nothing, and what is said of it is printable. */
#include "monitor/kinds/redis_answer.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct redis_answer whole = {0}, cut = {0};
        struct ending a = {0}, b = {0};

        if (n < 2)
                return 0;
        const char *bytes = (const char *)data + 2;
        size_t size = n - 2, first = size == 0 ? 0 : data[1] % (size + 1);

        whole.login = cut.login = (data[0] & 1) != 0;
        bool over = redis_answer_read(&whole, bytes, size, &a);
        bool cut_over = redis_answer_read(&cut, bytes, first, &b) ||
                        redis_answer_read(&cut, bytes + first, size - first, &b);
        assert(over == cut_over && a.reason == b.reason && strcmp(a.said, b.said) == 0);
        assert(said_is_clean(a.said, strlen(a.said)));
        return 0;
}
