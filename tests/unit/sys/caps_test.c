/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Capabilities: their names, those of the kernel, and our own beside what /proc says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "sys/caps.h"

#include "unit/sys/kit.h"

static void names_are_found(void **state UNUSED)
{
    static const struct {
        const char *text;
        unsigned number;
    } cases[] = {
        {"CHOWN", 0},
        {"NET_BIND_SERVICE", 10},
        {"net_bind_service", 10},
        {"Net_Admin", 12},
        {"CAP_SYS_ADMIN", 21},
        {"cap_sys_resource", 24},
        {"cAp_BPF", 39},
        {"0", 0},
        {"40", 40},
        {"63", 63},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned number = 99;
        assert_true(caps_find(cases[i].text, &number));
        assert_int_equal(number, cases[i].number);
    }
}

static void other_texts_are_none(void **state UNUSED)
{
    static const char *const cases[] = {
        "",
        "CAP_",
        "CAP_CAP_CHOWN",
        "ALL",
        "CHOW",
        "CHOWNS",
        "CHOWN ",
        " CHOWN",
        "CHOWN,KILL",
        "CHOWN=ep",
        "-1",
        "+1",
        "64",
        "100",
        "0x1",
        "1e1",
        "4294967296",
        "NET-ADMIN",
        "cap_1",
        "a_name_that_is_longer_than_any_capability_will_ever_be_and_then_some",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned number = 99;
        if (caps_find(cases[i], &number))
            fail_msg("\"%s\" is taken for capability %u", cases[i], number);
        assert_int_equal(number, 99);
    }
}

static void names_lead_back(void **state UNUSED)
{
    char name[CAPS_NAME_MAX];
    for (unsigned n = 0; n < 64; n++) {
        unsigned number = 99;
        assert_ptr_equal(caps_name(n, name), name);
        assert_true(caps_find(name, &number));
        assert_int_equal(number, n);
    }
    assert_string_equal(caps_name(12, name), "NET_ADMIN");
    assert_string_equal(caps_name(63, name), "63");
}

/* The hexadecimal number behind KEY in /proc/self/status. */
static uint64_t status_mask(const char *key)
{
    char line[256];
    uint64_t mask = 0;
    bool found = false;
    FILE *status = fopen("/proc/self/status", "re");
    assert_non_null(status);
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            mask = strtoull(line + strlen(key), NULL, 16);
            found = true;
        }
    }
    fclose(status);
    assert_true(found);
    return mask;
}

static void our_own_are_read(void **state UNUSED)
{
    struct caps_own own;
    uint64_t all = caps_all();
    assert_true(caps_read(&own));
    assert_int_equal(own.permitted, status_mask("CapPrm:"));
    assert_int_equal(own.effective, status_mask("CapEff:"));
    assert_int_equal(own.bounding, status_mask("CapBnd:"));
    /* Without holes, from CHOWN on, and with what every kernel of this century has. */
    assert_int_equal(all & (all + 1), 0);
    assert_true(all >> 36 != 0);
    assert_int_equal(own.bounding & ~all, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(other_texts_are_none),
        cmocka_unit_test(names_lead_back),
        cmocka_unit_test(our_own_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
