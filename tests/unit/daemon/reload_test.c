/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A changed file, and a changed number of instances: what is refused, what is handed to super, and what the engine has
 * in its hands afterwards. A real super, which no process is started for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "daemon/cli.h"
#include "daemon/engine.h"
#include "daemon/openfile.h"
#include "daemon/reload.h"
#include "daemon/slots.h"
#include "daemon/sockets.h"
#include "sys/sys.h"

#include "unit/daemon/rig.h"

enum { PID = 4321, MANY = 1500 };

static struct engine engine;
static struct cli cli;
static struct reload reload;
static struct buf told; /* the events, a line each */
static int home_fd;

void engine_go_on(struct engine *g)
{
    struct effect f;
    if (g->carrying)
        return;
    g->carrying = true;
    while (super_next_effect(g->super, &f))
        if (f.kind == EFFECT_REPLACED)
            reload_replaced(g);
        else if (f.kind == EFFECT_EXIT)
            g->over = true;
    g->carrying = false;
    reload_go_on(g);
}

void engine_post(struct engine *g, const struct event *ev)
{
    super_post(g->super, ev, sys_now_ms());
    engine_go_on(g);
}

void engine_on_unit_timer(struct ev_loop *loop UNUSED, struct ev_timer *w UNUSED, int revents UNUSED)
{
}

static void on_event(enum log_level level, const struct log_about *about, const char *text, void *data UNUSED)
{
    if (strcmp(about->event, "config") == 0)
        buf_printf(&told, "%d %s\n", (int)level, text);
}

static int begin(void **state)
{
    int r = rig_begin(state);
    home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chdir(rig_dir()), 0);
    engine = (struct engine){.loop = rig.loop, .cli = &cli, .sdnotify.fd = -1};
    cli = (struct cli){.log_level_set = true, .log_level = LOG_LEVEL_ERROR};
    cli.sets[cli.n_sets++] = "supervisor.exit_when=never";
    list_init(&engine.starting);
    attrib_init(&engine.attrib, UINT64_MAX, 1, 1);
    buf_init(&told, 1 << 16);
    log_set_tap(on_event, NULL);
    return r;
}

static int end(void **state)
{
    log_set_tap(NULL, NULL);
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
    reload_done(&reload);
    slots_done(&engine);
    sockets_stop(&engine);
    super_free(engine.super);
    attrib_done(&engine.attrib);
    spec_set_free(engine.set);
    spec_set_free(engine.next_set);
    buf_done(&told);
    assert_int_equal(fchdir(home_fd), 0);
    close(home_fd);
    return rig_end(state);
}

/* Puts YAML into the file, behind one line: nothing starts that nobody asks for. */
static void write_file(const char *yaml)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "defaults: { autostart: false }\n%s", yaml);
    assert_false(text.failed);
    rig_write_file("foster.yaml", buf_str(&text));
    buf_done(&text);
}

/* The engine as it is after a start with YAML. */
static void start(const char *yaml)
{
    struct super_params params = {.seed = 1};
    write_file(yaml);
    engine.set = openfile_load(&cli);
    assert_non_null(engine.set);
    engine.super = super_new(engine.set, &params);
    assert_non_null(engine.super);
    assert_true(slots_sync(&engine));
    super_start(engine.super, sys_now_ms());
    engine_go_on(&engine);
}

static enum reload_result load(const char *yaml, bool dry_run)
{
    reload_done(&reload);
    buf_reset(&told);
    write_file(yaml);
    return reload_file(&engine, dry_run, &reload);
}

static enum reload_result scale(const char *service, int64_t n)
{
    reload_done(&reload);
    buf_reset(&told);
    return reload_scale(&engine, service, n, &reload);
}

/* The names of the units in their order, a blank behind each; and that the engine's agree with super's. */
static const char *unit_names(void)
{
    static char names[1024];
    size_t len = 0;
    names[0] = '\0';
    for (unsigned i = 0; i < super_count(engine.super); i++) {
        struct unit_view v;
        const struct engine_unit *u = engine_at(&engine, super_at(engine.super, i));
        assert_true(super_view(engine.super, super_at(engine.super, i), &v));
        assert_non_null(u);
        assert_string_equal(u->name, v.name);
        assert_true(u->id == v.id && u->spec == v.spec && u->instance == v.instance);
        assert_ptr_equal(spec_find(engine.set, u->spec->name), u->spec);
        len += (size_t)snprintf(names + len, sizeof names - len, "%s ", v.name);
    }
    return names;
}

/* Has super believe that unit NAME runs. */
static void pretend_running(const char *name)
{
    struct unit_view v;
    struct event ev = {.kind = EVENT_START, .unit = super_find(engine.super, name), .pid = PID};
    engine_post(&engine, &ev);
    assert_true(super_view(engine.super, ev.unit, &v));
    assert_int_equal(v.state, UNIT_STARTING);
    ev.run = v.run;
    ev.kind = EVENT_SPAWNED;
    engine_post(&engine, &ev);
    ev.kind = EVENT_EXEC_OK;
    engine_post(&engine, &ev);
}

static void pretend_ended(const char *name)
{
    struct unit_view v;
    struct event ev = {.kind = EVENT_MAIN_EXITED, .unit = super_find(engine.super, name), .pid = PID};
    assert_true(super_view(engine.super, ev.unit, &v));
    ev.run = v.run;
    engine_post(&engine, &ev);
    ev.kind = EVENT_MEMBERS_GONE;
    engine_post(&engine, &ev);
}

#define WEB "services: { web: { command: w } }\n"
#define DB  "services: { db: { command: d } }\n"

static void a_changed_file_is_put_in_force(void **state)
{
    (void)state;
    start(WEB);
    const struct engine_unit *web = engine_at(&engine, super_find(engine.super, "web"));
    assert_int_equal(load("services: { db: { command: d, scale: 2 }, web: { command: w, scale: 2 } }\n", false),
                     RELOAD_OK);
    assert_string_equal(unit_names(), "db.1 db.2 web.1 web.2 ");
    assert_ptr_equal(engine_at(&engine, super_find(engine.super, "web.1")), web);
    assert_null(engine.next_set);
    assert_null(reload.set);
    assert_true(reload.has_plan);
    assert_int_equal(reload.plan.n_changes, 2);
    assert_string_equal(buf_str(&told), "6 reload: + db\n6 reload: ~ web (scale)\n"
                                        "6 reload: the new configuration is in force\n");
    assert_int_equal(load("services: { other: { command: d } }\n", false), RELOAD_OK);
    assert_string_equal(unit_names(), "other ");
    /* What the plan names is gone by now. */
    assert_string_equal(reload.plan.changes[0].service, "db");
}

static void a_dry_run_only_tells(void **state)
{
    (void)state;
    start(WEB);
    const struct spec_set *before = engine.set;
    assert_int_equal(load(DB, true), RELOAD_OK);
    assert_ptr_equal(engine.set, before);
    assert_non_null(reload.set);
    assert_int_equal(reload.plan.n_changes, 2);
    assert_string_equal(unit_names(), "web ");
    assert_string_equal(buf_str(&told), "");
    assert_int_equal(load("services: [", true), RELOAD_REJECTED);
    assert_true(reload.problems.n_errors > 0);
    assert_string_equal(buf_str(&told), "");
}

static void a_wrong_file_changes_nothing_and_says_where(void **state)
{
    char path[RIG_PATH_MAX];
    (void)state;
    start(WEB);
    const struct spec_set *before = engine.set;
    assert_int_equal(load("services:\n  web: { command: w, scale: many }\n  db: {}\n", false), RELOAD_REJECTED);
    assert_non_null(strstr(buf_str(&told), "3 foster.yaml:3:"));
    assert_non_null(strstr(buf_str(&told), "3 foster.yaml:4:3: "));
    assert_non_null(strstr(buf_str(&told), "\n3 configuration rejected; nothing has changed\n"));
    assert_int_equal(reload.problems.n_errors, 2);
    assert_false(reload.has_plan);
    assert_int_equal(unlink(rig_path("foster.yaml", path)), 0);
    reload_done(&reload);
    assert_int_equal(reload_file(&engine, false, &reload), RELOAD_REJECTED);
    assert_non_null(strstr(buf_str(&told), "there is no file foster.yaml"));
    assert_ptr_equal(engine.set, before);
    assert_string_equal(unit_names(), "web ");
}

static void what_means_the_same_is_no_change(void **state)
{
    (void)state;
    start(WEB);
    const struct spec_set *before = engine.set;
    assert_int_equal(load("# moved\nservices:\n  web:\n    command: [w]\n", false), RELOAD_OK);
    assert_ptr_equal(engine.set, before);
    assert_true(plan_is_empty(&reload.plan));
    assert_string_equal(buf_str(&told), "6 reload: nothing has changed\n");
}

static void the_order_of_services_is_taken_over(void **state)
{
    (void)state;
    start("services: { a: { command: a }, b: { command: b } }\n");
    assert_int_equal(load("services: { b: { command: b }, a: { command: a } }\n", false), RELOAD_OK);
    assert_string_equal(unit_names(), "b a ");
    assert_non_null(strstr(buf_str(&told), "only the order of services has changed"));
}

static void what_the_supervisor_can_change_and_what_not(void **state)
{
    (void)state;
    cli.log_level_set = false;
    start(WEB);
    assert_int_equal(load(WEB "supervisor: { log_level: error, stop_timeout: 7s, state_dir: /x }\n", false), RELOAD_OK);
    assert_int_equal(log_threshold(), LOG_LEVEL_ERROR);
    assert_int_equal(engine.set->supervisor.stop_timeout_ms, 7000);
    assert_non_null(strstr(buf_str(&told), "6 reload: ~ supervisor.log_level\n"));
    assert_non_null(strstr(buf_str(&told), "4 reload: ~ supervisor.state_dir; this counts only when"));
    cli.log_level_set = true;
    cli.log_level = LOG_LEVEL_WARN;
    assert_int_equal(load(WEB "supervisor: { log_level: debug }\n", false), RELOAD_OK);
    assert_int_equal(log_threshold(), LOG_LEVEL_WARN);
}

static void one_at_a_time(void **state)
{
    (void)state;
    start(WEB);
    pretend_running("web");
    assert_int_equal(load(DB, false), RELOAD_OK);
    assert_true(super_is_replacing(engine.super));
    assert_non_null(engine.next_set);
    assert_string_equal(unit_names(), "web ");
    reload_done(&reload);
    assert_int_equal(reload_join(&engine, &reload), RELOAD_OK);
    assert_true(reload.has_plan);
    assert_int_equal(reload.plan.n_changes, 2);
    assert_int_equal(load("services: { third: { command: t } }\n", false), RELOAD_BUSY);
    assert_int_equal(reload_join(&engine, &reload), RELOAD_BUSY);
    reload_done(&reload);
    assert_int_equal(reload_file(&engine, true, &reload), RELOAD_BUSY);
    assert_int_equal(scale("web", 2), RELOAD_BUSY);
    /* A signal cannot be answered; it is remembered. */
    reload_on_hup(&engine);
    assert_true(engine.reload_again);
    pretend_ended("web");
    assert_false(engine.reload_again);
    assert_string_equal(unit_names(), "third ");
    assert_non_null(strstr(buf_str(&told), "in force\n6 reload: - db\n6 reload: + third\n"));
}

static void nothing_is_reloaded_while_everything_stops(void **state)
{
    struct event ev = {.kind = EVENT_SHUTDOWN, .unit = SUPER_NO_UNIT};
    (void)state;
    start(WEB);
    pretend_running("web");
    assert_int_equal(load(DB, false), RELOAD_OK);
    /* A reload that is under way is called off, */
    engine_post(&engine, &ev);
    assert_false(super_is_replacing(engine.super));
    assert_string_equal(unit_names(), "web ");
    /* another one refused; */
    assert_int_equal(load(DB, false), RELOAD_STOPPING);
    assert_int_equal(load(DB, true), RELOAD_STOPPING);
    assert_int_equal(scale("web", 2), RELOAD_STOPPING);
    reload_on_hup(&engine);
    assert_non_null(strstr(buf_str(&told), "SIGHUP is ignored"));
    /* and so when all is over. */
    pretend_ended("web");
    assert_true(engine.over);
    assert_int_equal(load(DB, false), RELOAD_STOPPING);
}

static void what_a_unit_that_is_gone_left_behind_is_unclaimed(void **state)
{
    (void)state;
    start(WEB);
    struct attrib_run *run = attrib_run_open(&engine.attrib, super_find(engine.super, "web"), 1);
    assert_non_null(run);
    const struct attrib_proc *p = attrib_add(&engine.attrib, PID, run, ATTRIB_MEMBER, ATTRIB_TAG, 0);
    assert_non_null(p);
    attrib_run_close(&engine.attrib, run);
    assert_string_equal(engine_name_of_proc(&engine, p), "web");
    assert_int_equal(load(DB, false), RELOAD_OK);
    assert_null(p->run);
    assert_null(engine_name_of_proc(&engine, p));
}

static void scaling_changes_one_number(void **state)
{
    (void)state;
    start("services: { web: { command: w, working_dir: sub/dir, environment: { A: 'a$$b', B: null } }, a.b: { command: "
          "x } }\n");
    assert_int_equal(scale("web", 3), RELOAD_OK);
    assert_string_equal(unit_names(), "web.1 web.2 web.3 a.b ");
    assert_int_equal(reload.plan.n_changes, 1);
    assert_int_equal(reload.plan.changes[0].n_keys, 1);
    assert_int_equal(scale("a.b", 2), RELOAD_OK);
    assert_string_equal(unit_names(), "web.1 web.2 web.3 a.b.1 a.b.2 ");
    assert_int_equal(scale("web", 3), RELOAD_OK);
    assert_true(plan_is_empty(&reload.plan));
    assert_int_equal(scale("web", 0), RELOAD_OK);
    assert_string_equal(unit_names(), "a.b.1 a.b.2 ");
    /* The file has the last word. */
    reload_done(&reload);
    assert_int_equal(reload_file(&engine, false, &reload), RELOAD_OK);
    assert_string_equal(unit_names(), "web a.b ");
}

static void a_number_that_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *service;
        int64_t n;
        const char *says;
    } cases[] = {
        {"web", SPEC_SCALE_MAX + 1, "0 to 10000"},
        {"web", -1, "0 to 10000"},
        {"web", INT64_MAX, "0 to 10000"},
        {"daemon", 2, "2 instances cannot share one `pid_file`"},
    };
    (void)state;
    start("services: { web: { command: w }, daemon: { command: d, type: forking, pid_file: /run/d.pid } }\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(scale(cases[i].service, cases[i].n), RELOAD_REJECTED);
        assert_int_equal(reload.problems.n, 1);
        assert_null(reload.problems.items[0].pos.file);
        if (strstr(reload.problems.items[0].text, cases[i].says) == NULL)
            fail_msg("case %zu: %s", i, reload.problems.items[0].text);
        assert_string_equal(unit_names(), "web daemon ");
    }
}

static void large_configurations_scale_too(void **state)
{
    struct buf yaml;
    (void)state;
    buf_init(&yaml, 1 << 20);
    buf_puts(&yaml, "services:\n");
    for (int i = 0; i < MANY; i++)
        buf_printf(&yaml, "  s%d: { command: run %d, depends_on: [s%d] }\n", i, i, (i + 1) % MANY == 0 ? MANY : i + 1);
    buf_printf(&yaml, "  s%d: { command: last }\n", MANY);
    start(buf_str(&yaml));
    buf_done(&yaml);
    assert_int_equal(scale("s700", 2), RELOAD_OK);
    assert_int_equal(reload.plan.n_changes, 1);
    assert_string_equal(reload.plan.changes[0].service, "s700");
    assert_int_equal(super_count(engine.super), MANY + 2);
}

#define RELOAD_TEST(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELOAD_TEST(a_changed_file_is_put_in_force),
        RELOAD_TEST(a_dry_run_only_tells),
        RELOAD_TEST(a_wrong_file_changes_nothing_and_says_where),
        RELOAD_TEST(what_means_the_same_is_no_change),
        RELOAD_TEST(the_order_of_services_is_taken_over),
        RELOAD_TEST(what_the_supervisor_can_change_and_what_not),
        RELOAD_TEST(one_at_a_time),
        RELOAD_TEST(nothing_is_reloaded_while_everything_stops),
        RELOAD_TEST(what_a_unit_that_is_gone_left_behind_is_unclaimed),
        RELOAD_TEST(scaling_changes_one_number),
        RELOAD_TEST(a_number_that_cannot_be_is_refused),
        RELOAD_TEST(large_configurations_scale_too),
    };
    return cmocka_run_group_tests_name("reload", tests, rig_open_loop, rig_close_loop);
}
