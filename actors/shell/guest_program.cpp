// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/guest_program.hpp"

#include <algorithm>

#include "actors/base64.hpp"
#include "actors/shell/lost_answer.hpp"

namespace forkfleet::shell {
namespace {

/// How long a start is tried whose answers are lost.
constexpr milliseconds program_start_patience{20'000};
/// How long a program is looked for that nobody can tell of.
constexpr milliseconds look_patience{60'000};
constexpr milliseconds ask_slack{3000};
constexpr milliseconds look_wait_min{10};
constexpr milliseconds look_wait_max{250};
/// What a program left behind may hold its outputs. They are taken for told
/// when so much time and so many looks, for each of which the guest had to
/// work, brought nothing new.
constexpr milliseconds quiet_limit{2000};
constexpr int quiet_looks = 10;
/// For a guest to end what is too late by itself, and for a killed program.
constexpr milliseconds kill_patience{10'000};

class guest_program_run {
public:
  guest_program_run(const exec_request& start, const program_sinks& sinks,
                    const program_calls& calls)
    : start_{start}, sinks_{sinks}, calls_{calls}, begun_{calls.now()},
      heard_{begun_}, progress_{begun_} {}

  expected<program_end> run() {
    if (auto started = begin(); !started)
      return tl::unexpected{started.error()};
    while (!is_over_) {
      if (auto fine = end_if_wanted(); !fine)
        return tl::unexpected{fine.error()};
      if (auto fine = look(); !fine)
        return give_up(fine.error());
      if (!is_over_ && wait_ > milliseconds{0})
        calls_.wait(wait_);
    }
    static_cast<void>(ask(exec_action::forget).has_value());
    return end_;
  }

private:
  milliseconds since(program_calls::time_point x) const {
    return std::chrono::duration_cast<milliseconds>(calls_.now() - x);
  }

  exec_request request(exec_action action) const {
    return {.operation = start_.operation,
            .sandbox = start_.sandbox,
            .action = action,
            .output = output_,
            .errors = errors_,
            .deadline = access_deadline};
  }

  expected<exec_report> ask(exec_action action) const {
    return calls_.ask(request(action), access_deadline + ask_slack);
  }

  // Repeated with the same id it runs nothing twice.
  status begin() {
    auto asked = start_;
    asked.action = exec_action::start;
    asked.deadline = access_deadline;
    bool is_lost = false;
    for (;;) {
      const auto answer = calls_.ask(asked, access_deadline + ask_slack);
      if (answer)
        return {};
      const auto& why = answer.error();
      if (!is_open(why, is_lost) || since(begun_) >= program_start_patience
          || calls_.is_stopped())
        return is_open(why, is_lost) ? named(why) : tl::unexpected{why};
      is_lost = true;
      calls_.wait(look_wait_max);
    }
  }

  tl::unexpected<failure> named(const failure& why) const {
    return fail(why.code, why.message + "; the program may run: operation "
                            + start_.operation.value);
  }

  /// Ends the program when somebody wants that, or when it is so late that
  /// its guest should have ended it.
  status end_if_wanted() {
    const bool is_late = start_.limit > milliseconds{0}
                         && since(begun_) > start_.limit + kill_patience;
    if (!is_killed_ && (calls_.is_stopped() || is_late)) {
      end_.was_stopped = calls_.is_stopped();
      end_.was_late = is_late && !end_.was_stopped;
      is_killed_ = true;
      killed_ = calls_.now();
      static_cast<void>(ask(exec_action::kill).has_value());
    }
    if (is_killed_ && !has_exited_ && since(killed_) > 2 * kill_patience)
      return named({ec::deadline_exceeded, "the program was not seen to end"});
    return {};
  }

  expected<program_end> give_up(const failure& why) {
    if (why.code == ec::disk_full || why.code == ec::io_failed) {
      static_cast<void>(ask(exec_action::kill).has_value());
      static_cast<void>(ask(exec_action::forget).has_value());
    }
    if (group_of(why.code) == ec_group::unknown)
      return named(why);
    return tl::unexpected{why};
  }

  status look() {
    const auto answer = ask(exec_action::look);
    if (!answer) {
      const auto& why = answer.error();
      if (!is_open(why, true) || since(heard_) > look_patience)
        return tl::unexpected{why};
      wait_ = look_wait_max;
      return {};
    }
    heard_ = calls_.now();
    return take(*answer);
  }

  status take(const exec_report& x) {
    const bool moved = x.output.next != output_ || x.errors.next != errors_;
    if (auto fine = pass(x.output, output_, sinks_.output); !fine)
      return fine;
    if (auto fine = pass(x.errors, errors_, sinks_.errors); !fine)
      return fine;
    if (moved || x.has_exited != has_exited_)
      progress_ = heard_;
    has_exited_ = x.has_exited;
    end_.status = x.status;
    end_.was_late = end_.was_late || (x.was_late && !end_.was_stopped);
    const bool is_told = x.output.has_ended && x.errors.has_ended;
    quiet_ = x.has_exited && !moved ? quiet_ + 1 : 0;
    const bool is_quiet =
      quiet_ >= quiet_looks && since(progress_) >= quiet_limit;
    end_.is_still_printing = x.has_exited && !is_told;
    is_over_ = x.has_exited && (is_told || is_quiet);
    wait_ = moved ? milliseconds{0}
                  : std::clamp(wait_ * 2, look_wait_min, look_wait_max);
    return {};
  }

  static status pass(const stream_piece& piece, stream_position& at,
                     const std::function<bool(std::string_view)>& sink) {
    const auto bytes = from_base64(piece.content);
    if (!bytes)
      return fail(ec::vmm_refused, "what the guest printed is not base64");
    if (!bytes->empty() && !sink(*bytes))
      return fail(ec::io_failed, "the output cannot be written");
    at = piece.next;
    return {};
  }

  const exec_request& start_;
  const program_sinks& sinks_;
  const program_calls& calls_;
  program_calls::time_point begun_;
  program_calls::time_point heard_;    // the last answer
  program_calls::time_point progress_; // the last news
  program_calls::time_point killed_ = {};
  stream_position output_ = {};
  stream_position errors_ = {};
  milliseconds wait_{0};
  int quiet_ = 0; // looks after its end without news
  bool has_exited_ = false;
  bool is_killed_ = false;
  bool is_over_ = false;
  program_end end_ = {};
};

} // namespace

expected<program_end> run_program(const exec_request& start,
                                  const program_sinks& sinks,
                                  const program_calls& calls) {
  return guest_program_run{start, sinks, calls}.run();
}

} // namespace forkfleet::shell
