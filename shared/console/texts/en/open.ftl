# Pages for anyone.
alert-kind = Kind
alert-state = State
verify-live = LIVE, IN FORCE
verify-live-advice = The commune sent it, and it is in force.
verify-corrected = LIVE, CORRECTED
verify-corrected-advice = Something that was told before was wrong. Trust only the newest from the commune's group.
verify-exercise = EXERCISE
verify-exercise-advice = This is not real. Do not share it.
verify-closed = CLOSED
verify-closed-advice = It is no longer in force. Do not share it any more.
verify-cancelled-advice = It was withdrawn. Do not share it; where you have, say that it was withdrawn.
verify-unknown = NO ALERT HAS THIS CODE
verify-unknown-advice = Do not believe or share it. Look at the code again, or call the commune's police.
verify-trouble = NOT CHECKED
verify-trouble-advice = It is not known whether this is real. Try again in a few minutes, or call the commune's police.
verify-about = This page says whether an alert is real, whose it is, and whether it is in force. It has nothing personal.
