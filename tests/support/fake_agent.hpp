// SPDX-License-Identifier: Apache-2.0
// A guest agent whose guest is this machine: it speaks the protocol of
// qemu-guest-agent, runs programs here, and has /run/forkfleet of its guest in
// a directory of its own.
#pragma once

#include <atomic>
#include <cstdio>
#include <map>
#include <string>
#include <sys/types.h>
#include <thread>

#include "actors/schema/json_text.hpp"
#include "actors/unique_fd.hpp"
#include "tests/support/scratch.hpp"

namespace forkfleet::test {

class fake_agent {
public:
  fake_agent();
  ~fake_agent();

  std::string socket() const { return home_.path() + "/agent.sock"; }

  /// Where what the guest calls `path` lies.
  std::string here(const std::string& path) const;

  /// Once `commands` more were done, the answer to one is lost with the
  /// connection.
  void lose_answer_after(int commands) { answers_left_ = commands; }

  /// Whether it hears and says nothing.
  std::atomic<bool> is_mute{false};

  /// So many connections are made and never heard on, as the port of a child
  /// that is stuck in what its source said.
  std::atomic<int> deaf_connections{0};

  /// Sent on each connection before anything is answered.
  std::string greeting = {};

  /// The clock of its guest: how far it is from ours, how long its `date`
  /// takes to begin, and whether that sets parts of a second.
  std::atomic<int64_t> clock_behind_us{0};
  std::atomic<int64_t> date_delay_us{0};
  std::atomic<bool> date_takes_fractions{true};
  std::atomic<bool> date_is_ignored{false}; // it succeeds and sets nothing
  std::atomic<int> dates_set{0};

  /// Connections so far.
  std::atomic<int> connections{0};

private:
  struct process {
    pid_t pid = -1;
    std::string files = {};
    bool has_ended = false;
    int status = 0;
  };

  void serve();
  void serve_one(int socket);
  schema::json answer(const schema::json& command);
  schema::json start(const schema::json& arguments);
  schema::json set_date(const std::string& text);
  schema::json look(const schema::json& arguments);
  schema::json file(const std::string& name, const schema::json& arguments);

  scratch_directory home_;
  unique_fd listener_;
  std::atomic<bool> is_ending_{false};
  std::atomic<int> answers_left_{-1};
  std::map<uint64_t, process> processes_ = {};
  std::map<uint64_t, std::FILE*> files_ = {};
  uint64_t next_ = 1000;
  std::thread thread_;
};

} // namespace forkfleet::test
