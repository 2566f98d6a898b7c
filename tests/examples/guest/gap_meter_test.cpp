// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/gap_meter.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::guest;
using namespace std::chrono_literals;

namespace {

using std::chrono::nanoseconds;

/// A guest's clock and the host's, which goes on while the guest stands.
struct clocks_fixture {
  gap_meter meter;
  nanoseconds guest = 5s;
  nanoseconds host = 1000s + 300ms;
  nanoseconds poll = 50us;

  void run(nanoseconds span) {
    for (const auto end = guest + span; guest < end;
         guest += poll, host += poll)
      meter.observe(
        {guest, guest + 2us,
         std::chrono::duration_cast<std::chrono::seconds>(host).count()});
  }
  void stand_still(nanoseconds span) { host += span; }
};

} // namespace

TEST_CASE_METHOD(clocks_fixture, "a guest that never stood saw no gap",
                 "[examples][gap_meter]") {
  run(20s);
  CHECK(meter.gaps() == 0);
  CHECK(meter.lost() == 0ns);
  CHECK(meter.seconds() >= 18);
}

TEST_CASE_METHOD(clocks_fixture, "a gap is known to a fraction of its polls",
                 "[examples][gap_meter]") {
  const auto gap = GENERATE(500us, 5000us, 200000us);
  run(3s + 100ms);
  stand_still(gap);
  run(3s);
  CHECK(meter.gaps() == 1);
  CHECK(meter.largest() >= gap - 120us);
  CHECK(meter.largest() <= gap + 120us);
}

TEST_CASE_METHOD(clocks_fixture, "gaps of different seconds are told apart",
                 "[examples][gap_meter]") {
  run(5s + 100ms);
  for (auto gap : {2ms, 9ms, 4ms}) {
    stand_still(gap);
    run(2s);
  }
  CHECK(meter.gaps() == 3);
  CHECK(meter.largest() / 1ms == Approx(9).margin(0.6));
  CHECK(meter.lost() / 1ms == Approx(15).margin(1.1));
}

TEST_CASE_METHOD(clocks_fixture, "a clock that drifts is no gap",
                 "[examples][gap_meter]") {
  for (int i = 0; i < 400; ++i) {
    run(50ms);
    stand_still(10us);
  }
  CHECK(meter.gaps() == 0);
  stand_still(5ms);
  run(3s);
  CHECK(meter.largest() / 1us == Approx(5000).margin(400));
}

TEST_CASE_METHOD(clocks_fixture, "seconds that passed at once are one gap",
                 "[examples][gap_meter]") {
  run(3s);
  stand_still(7s);
  run(3s);
  CHECK(meter.gaps() == 1);
  CHECK(meter.lost() / 1ms == Approx(7000).margin(1));
}

TEST_CASE_METHOD(clocks_fixture, "a clock that is set back is no gap",
                 "[examples][gap_meter]") {
  run(3s);
  host -= 100s;
  run(3s);
  CHECK(meter.gaps() == 0);
}

TEST_CASE_METHOD(clocks_fixture, "a sleeper is told to be awake at the edge",
                 "[examples][gap_meter]") {
  CHECK(meter.edge_is_near(guest, 5ms));
  run(2s);
  const auto since_edge = host % 1s;
  CHECK_FALSE(meter.edge_is_near(guest + 900ms - since_edge, 5ms));
  CHECK(meter.edge_is_near(guest + 996ms - since_edge, 5ms));
}
