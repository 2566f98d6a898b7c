// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/branch_text.hpp"

#include <catch2/catch.hpp>

#include "actors/shell/branch_progress.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;
using namespace std::chrono_literals;

namespace {

const branch_report sealed{.operation = {"op-1"},
                           .sandbox = {"web"},
                           .tag = {"try-a"},
                           .host = {"a"},
                           .mode = branch_mode::live,
                           .method = "background-snapshot",
                           .pause = 1420us,
                           .total = 312ms,
                           .stages = {{stage::admit, 0us, 12us},
                                      {stage::pause, 3ms, 200us},
                                      {stage::drain, 5ms, 250ms}},
                           .memory_bytes = 512u << 20,
                           .written_bytes = 512u << 20,
                           .reserve = reserve_outcome::reserved,
                           .reserved_bytes = 513u << 20,
                           .file_system = "ext4",
                           .warnings = {"disk is slow"}};

fleet_event event(std::string kind, std::string operation, std::string name,
                  microseconds elapsed) {
  return {.kind = std::move(kind),
          .sandbox = {"web"},
          .operation = {std::move(operation)},
          .stage = std::move(name),
          .elapsed = elapsed};
}

} // namespace

TEST_CASE("a report tells outcome, stages, bytes and warnings",
          "[actors][shell][branch_text]") {
  CHECK(report_text(sealed, {})
        == "web on a sealed as try-a (live, background-snapshot)\n"
           "STAGE    START    TIME  GUEST\n"
           "admit     0 µs   12 µs  runs\n"
           "pause  3.00 ms  200 µs  stands\n"
           "drain  5.00 ms  250 ms  runs\n"
           "pause      1.42 ms\n"
           "total      312 ms\n"
           "memory     512 MiB\n"
           "written    512 MiB  (100 % of memory, reserved 513 MiB first, on "
           "ext4)\n"
           "operation  op-1\n"
           "warning: disk is slow\n");
}

TEST_CASE("a diff tells its base, its prediction and why no better method",
          "[actors][shell][branch_text]") {
  const branch_report diff{.operation = {"op-2"},
                           .sandbox = {"web"},
                           .tag = {"try-b"},
                           .host = {"a"},
                           .mode = branch_mode::diff,
                           .method = "tracked",
                           .reason = "no preload library",
                           .base = {"try-a"},
                           .pause = 2ms,
                           .vmm_pause = 1900us,
                           .predicted_pause = 1800us,
                           .max_pause = 20ms,
                           .delayed = 120ms,
                           .total = 150ms,
                           .memory_bytes = 512u << 20,
                           .written_bytes = 6u << 20,
                           .passes = 3,
                           .residual_bytes = 640u << 10,
                           .dirty_bytes_per_second = 105u << 20,
                           .unwritten_bytes = 30u << 20};
  CHECK(report_text(diff, {})
        == "web on a sealed as try-b (diff over try-a, tracked)\n"
           "pause      2.00 ms  (predicted 1.80 ms, allowed 20.0 ms, by the "
           "VMM's own stamps 1.90 ms)\n"
           "total      150 ms  (the pause was put off by 120 ms, 30 MiB "
           "unwritten before it)\n"
           "memory     512 MiB  (3 passes while the guest ran, 640 KiB copied "
           "in the pause, dirtied at 105 MiB/s)\n"
           "written    6 MiB  (1.17 % of memory, not reserved)\n"
           "not better no preload library\n"
           "operation  op-2\n");
}

TEST_CASE("a full disk tells the missing bytes and the remedy",
          "[actors][shell][branch_text]") {
  const branch_report full{.sandbox = {"web"},
                           .outcome = {ec::disk_full, "/data"},
                           .reserve = reserve_outcome::no_space,
                           .missing_bytes = 100u << 20};
  const auto text = report_text(full, {});
  CHECK(text.find("failed: disk_full: /data") != std::string::npos);
  CHECK(text.find("100 MiB missing") != std::string::npos);
  CHECK(text.find("remedy: ") != std::string::npos);
}

TEST_CASE("several branches are a row each", "[actors][shell][branch_text]") {
  auto failed = sealed;
  failed.outcome = {ec::io_failed, "x"};
  failed.stages.clear();
  const auto text = report_table({sealed, failed}, true).render({});
  CHECK(text.find("1  try-a     sealed     live  1.42 ms")
        != std::string::npos);
  CHECK(text.find("2  try-a     io_failed") != std::string::npos);
}

TEST_CASE("pauses are summed up by quantiles and a sparkline",
          "[actors][shell][branch_text]") {
  CHECK(pause_summary({}, true).empty());
  CHECK(pause_summary({1ms, 2ms}, true)
        == "pause p50 1.00 ms  p90 2.00 ms  max 2.00 ms  ▅█");
}

TEST_CASE("the pauses of sealed branches are found in the events",
          "[actors][shell][branch_text]") {
  auto other = event("snapshot.sealed", "op-9", "", 9ms);
  other.sandbox = {"db"};
  const std::vector<fleet_event> events{
    other, event("stage.ended", "op-1", "pause", 50ms),
    event("snapshot.sealed", "op-1", "", 6ms),
    event("branch.ended", "op-2", "", 70ms)};
  CHECK(pauses_in(events, {"web"}) == std::vector<microseconds>{6ms});
}

TEST_CASE("a stage that ended gives way to the next",
          "[actors][shell][branch_progress]") {
  CHECK(stage_after(event("branch.started", "", "", 0ms)) == "admit");
  CHECK(stage_after(event("stage.ended", "", "resume", 0ms)) == "drain");
  CHECK(stage_after(event("stage.ended", "", "seal", 0ms)) == "report");
  CHECK(stage_after(event("node.joined", "", "", 0ms)).empty());
}
