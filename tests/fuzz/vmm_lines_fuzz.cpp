// SPDX-License-Identifier: Apache-2.0
// What a QEMU that a guest has taken over says over QMP, to the client itself.
#include <sys/socket.h>
#include <thread>

#include "node/qemu/qmp_client.hpp"
#include "node/qemu/unix_socket.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view opening =
  "{\"QMP\":{\"version\":{\"qemu\":{\"major\":7,\"minor\":2,\"micro\":0}}}}\n"
  "{\"return\":{},\"id\":1}\n";

deadline_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

/// The socket of a QEMU that says what it is told to, to one client after the
/// other.
class speaker {
public:
  speaker() {
    if (auto made = qemu::listen_unix(path(), SOCK_STREAM))
      listener_ = std::move(*made);
  }
  std::string path() const { return home_.path() + "/qmp"; }

  void serve(std::string_view words) const {
    if (!qemu::wait_readable(listener_.get(), in(5s)))
      return;
    const auto socket =
      unique_fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    for (const auto text : {opening, words})
      static_cast<void>(
        qemu::send_text(socket.get(), text, -1, in(1s)).has_value());
    ::shutdown(socket.get(), SHUT_WR);
  }

private:
  test::scratch_directory home_;
  unique_fd listener_ = {};
};

} // namespace

FORKFLEET_FUZZ(vmm_lines) {
  static const auto other_side = speaker{};
  auto serving =
    std::jthread{[words = test::text_of(bytes)] { other_side.serve(words); }};
  const auto client = qemu::qmp_client::connect(other_side.path(), in(1s));
  if (!client)
    return;
  const auto answer = (*client)->execute("query-status", in(1s));
  if (!answer)
    test::promise(answer.error().message.size() < 4096);
  while ((*client)->wait_event_if(
    [](const qemu::qmp_event& x) {
      test::promise(x.name.size() <= 4096);
      return true;
    },
    in(0s)))
    continue;
}
