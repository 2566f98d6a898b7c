// SPDX-License-Identifier: Apache-2.0
// How near a branch's pause is to what QEMU itself needs. Three arms on one
// VM, interleaved and rotated: ours through the whole fleet, the bare
// background snapshot by hand, and stop + device state + cont by hand.
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "actors/shell/figures.hpp"
#include "config/options.hpp"
#include "node/bench/hand_capture.hpp"
#include "tests/support/fleet_fixture.hpp"

namespace {

using namespace forkfleet;
using namespace forkfleet::test;
using bench::hand_capture;
using bench::hand_pause;
using config::value_kind;
using shell::duration_text;
using shell::percentile;

const config::command_line program{
  .name = "bench_floor",
  .summary = "Compares a branch's pause with the same done by hand over QMP.",
  .version = FORKFLEET_VERSION,
  .verbs = {{.path = "",
             .options = {{.name = "memory",
                          .kind = value_kind::text,
                          .doc = "Guest memory; may be given again.",
                          .repeatable = true},
                         {.name = "rounds",
                          .kind = value_kind::number,
                          .doc = "Captures by each arm.",
                          .initial = "15",
                          .min = 3,
                          .max = 200},
                         {.name = "rate",
                          .kind = value_kind::number,
                          .doc = "MiB that the guest dirties each second.",
                          .initial = "100",
                          .max = 4096},
                         {.name = "directory",
                          .kind = value_kind::text,
                          .doc = "Where the snapshots go."}}}}};

constexpr std::size_t arms = 3;
constexpr std::array<const char*, arms> arm_names = {
  "forkfleet, live", "background-snapshot by hand", "stop + state + cont"};

/// The figures of one arm.
struct arm_series {
  std::vector<microseconds> ours = {};
  std::vector<microseconds> qemus = {};
};

class floor_bench {
public:
  floor_bench(const config::invocation& given, std::string memory)
    : memory_{std::move(memory)}, rounds_{given.number("rounds").value_or(15)},
      fleet_{shape(given, memory_, hand_.path())} {}

  status run() {
    fleet_.start();
    auto hand = hand_capture::connect(hand_.path() + "/hand.sock");
    if (!hand)
      return tl::unexpected(hand.error());
    // The first capture of each kind splits huge pages: not counted.
    for (uint64_t round = 0; round <= rounds_; ++round)
      for (std::size_t i = 0; i < arms; ++i)
        if (auto done = take((round + i) % arms, *hand, round); !done)
          return done;
    print();
    return {};
  }

private:
  static fleet_shape shape(const config::invocation& given,
                           const std::string& memory,
                           const std::string& sockets) {
    const auto set = memory == "256MiB" ? "128" : "700";
    const auto append =
      "ff.rate_mib=" + given.text("rate") + " ff.set_mib=" + set;
    auto yaml = guest_sandbox("source", "h1", memory, append);
    if (!yaml.empty())
      yaml += "    qemu_arguments: [\"-qmp\", \"unix:" + sockets
              + "/hand.sock,server=on,wait=off\"]\n";
    return {.sandboxes = yaml, .data_base = given.text("directory")};
  }

  status take(std::size_t arm, hand_capture& hand, uint64_t round) {
    auto pause = expected<hand_pause>{};
    if (arm == 0)
      pause = branch(round);
    else if (arm == 1)
      pause = hand.background_snapshot();
    else
      pause = hand.device_state(hand_.path() + "/state");
    if (!pause)
      return tl::unexpected(pause.error());
    if (round > 0) {
      series_[arm].ours.push_back(pause->ours);
      series_[arm].qemus.push_back(pause->qemus);
    }
    return {};
  }

  expected<hand_pause> branch(uint64_t round) {
    const auto tag = snapshot_tag{"floor-" + std::to_string(round)};
    const auto report = fleet_.branch(
      {.sandbox = {"source"}, .tag = tag, .mode = branch_mode::live});
    if (!report)
      return tl::unexpected(report.error());
    if (report->outcome)
      return tl::unexpected(report->outcome);
    auto removed =
      fleet_.ask<done>(remove_request{.tag = tag}, std::chrono::seconds{30});
    if (!removed)
      return tl::unexpected(removed.error());
    return hand_pause{report->pause, report->vmm_pause};
  }

  void print() const {
    fmt::print("\n{} guest, {} captures by each arm, interleaved\n", memory_,
               rounds_);
    fmt::print("{:<28} {:>9} {:>9} {:>9}   {:>9} {:>9}\n", "", "p50", "p90",
               "max", "QEMU p50", "QEMU p90");
    for (std::size_t i = 0; i < arms; ++i) {
      const auto& x = series_[i];
      fmt::print("{:<28} {:>9} {:>9} {:>9}   {:>9} {:>9}\n", arm_names[i],
                 duration_text(percentile(x.ours, 50), false),
                 duration_text(percentile(x.ours, 90), false),
                 duration_text(percentile(x.ours, 100), false),
                 duration_text(percentile(x.qemus, 50), false),
                 duration_text(percentile(x.qemus, 90), false));
    }
    for (std::size_t i = 1; i < arms; ++i)
      fmt::print("ours / {:<27} {:.2f} until seen running, {:.2f} by QEMU's "
                 "stamps (medians)\n",
                 arm_names[i], ratio(series_[0].ours, series_[i].ours),
                 ratio(series_[0].qemus, series_[i].qemus));
    std::fflush(stdout);
  }

  static double ratio(const std::vector<microseconds>& a,
                      const std::vector<microseconds>& b) {
    return double(percentile(a, 50).count())
           / double(std::max<int64_t>(1, percentile(b, 50).count()));
  }

  std::string memory_;
  uint64_t rounds_;
  scratch_directory hand_ = {};
  fleet_fixture fleet_;
  std::array<arm_series, arms> series_ = {};
};

} // namespace

int main(int argc, char** argv) {
  const auto given = config::parse(program, {argv + 1, argv + argc});
  if (!given)
    return config::print(given.error());
  if (guest_sandbox("x", "h1", "256MiB").empty()) {
    fmt::print(stderr, "bench_floor: no example guest; run ./dev guest\n");
    return 1;
  }
  auto sizes = given->texts("memory");
  if (sizes.empty())
    sizes = {"256MiB", "2GiB"};
  for (const auto& memory : sizes)
    if (auto done = floor_bench{*given, memory}.run(); !done) {
      fmt::print(stderr, "bench_floor: {}\n", to_string(done.error()));
      return 1;
    }
  return 0;
}
