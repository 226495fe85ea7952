#include "takeover/schedule.h"

static const int64_t offset_ms[SCHEDULE_STEPS] = {0, 20, 100, 300, 1000, 2000, 4000, 8000};

span schedule_offset(unsigned step)
{
        if (step < SCHEDULE_STEPS)
                return span_ms(offset_ms[step]);
        return span_add(span_ms(offset_ms[SCHEDULE_STEPS - 1]),
                        span_s((int64_t)(step - SCHEDULE_STEPS + 1) * SCHEDULE_LATER_S));
}
