#pragma once

namespace lathe::bench {

/// How busy other processes keep this machine's CPUs from the making of this on.
class OtherLoad {
 public:
  OtherLoad();
  /// Of the time of all CPUs, the share that went to others (to other virtual machines, too): 0 where it is quiet.
  /// 0 as well where the system does not say.
  double share() const;

 private:
  struct Seconds {
    double all = 0;   // of all CPUs, idle or not
    double busy = 0;  // of all CPUs
    double own = 0;   // of this process
  };
  static Seconds now();

  Seconds start_;
};

/// Above this share of other load, times say little.
constexpr double noisy_share = 0.1;

}  // namespace lathe::bench
