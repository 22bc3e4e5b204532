"""Questions to a class, page by page. What each answer needs is computed from what is on the screen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One question. answer: Markdown with places for numbers, of live.NUMBERS or answers.ANSWERS."""

    page: str
    text: str
    hint: str
    answer: str


QUESTIONS = (
    Question(
        "start",
        r"By which factor is $\mathrm{tr}\,C_\mathrm{AWD}$ larger than $\mathrm{tr}\,C$ here?",
        r"Both traces stand in the explanation of $C_\mathrm{AWD}$ and of $C$.",
        r"$⟦trace_C_awd⟧ / ⟦trace_C⟧ = ⟦size⟧$. Duality proposes the exponent, not the size.",
    ),
    Question(
        "start",
        "One direction is 100 times sharper than another. How many times noisier is it?",
        r"$C_{ii} \propto H_{ii}^{\,\gamma}$.",
        r"$100^{\,\gamma} = 100^{\,⟦gamma⟧} = ⟦hundredfold⟧$ times.",
    ),
    Question(
        "commutativity",
        "How far from commuting would a random rotation be, and how far is this matrix?",
        "The same spectrum, turned at random, is the dotted mark of *Do they commute?*",
        r"Turned at random the commutator error would be $⟦commutator_random⟧$. Measured it is $⟦commutator⟧$, or "
        r"$⟦commuting_share⟧\,\%$ of that.",
    ),
    Question(
        "commutativity",
        "Which share of the matrix, squared, lies off the diagonal?",
        "What is not on the diagonal is off it: look at the alignment.",
        r"$1 - ⟦alignment⟧$, which is $⟦off_share⟧\,\%$. Turned at random it would be nearly all, "
        r"$1 - ⟦alignment_random⟧$.",
    ),
    Question(
        "commutativity",
        "The sharpest direction is number 1. Which one is the noisiest?",
        r"Look for the largest $C_{ii}$ on the diagonal of $K$, with $C$ chosen as the matrix.",
        "Direction $⟦noisiest⟧$. If order were all that counts, it would always be the first.",
    ),
    Question(
        "power_law",
        r"How much does γ of $C$ change if you halve $\mathcal N$?",
        "Move the upper end of *Directions fitted*, or read it off *How many directions?*",
        r"By $⟦gamma_change⟧$: from $⟦gamma⟧$ to $⟦gamma_half⟧$.",
    ),
    Question(
        "power_law",
        "Which γ would perfect alignment give?",
        r"Each direction would own one curvature $\kappa_i$ and a share $w_i$ of the samples. What are then $H_{ii}$ "
        r"and $\mathrm{E}[h^2]_{ii}$?",
        r"$H_{ii} = w_i\kappa_i$ and $\mathrm{E}[h^2]_{ii} = w_i\kappa_i^2$. With equal shares $\gamma = 2$; where "
        r"sharp samples are rarer, $w \propto \kappa^{-\beta}$, it is $(2-\beta)/(1-\beta)$, 3 at $\beta = \frac12$. "
        r"Here "
        r"$\mathrm{E}[h^2]$ has $\gamma = ⟦gamma_E_h2⟧$.",
    ),
    Question(
        "power_law",
        "Do the ten sharpest directions decide the exponent?",
        "Leave them out: move the lower end of *Directions fitted*.",
        r"Without them γ of $C$ is $⟦gamma_without_ten⟧$, with them $⟦gamma⟧$.",
    ),
    Question(
        "table",
        "Which setting has the steepest law?",
        "The shade of a cell deepens with its exponent.",
        "⟦table_steepest⟧.",
    ),
    Question(
        "table",
        "How far apart are two trainings that differ in the seed alone?",
        "A cell of three seeds or more tells it after ±; of two it says little, unless many cells are averaged.",
        r"On average over the cells with several seeds their standard deviation is $⟦table_seeds⟧$.",
    ),
    Question(
        "dynamics",
        r"By how much did γ of $C$ change from the first epoch to the last?",
        "Both ends of the first figure.",
        r"By $⟦rise⟧$: from $⟦gamma_first⟧$ at epoch $⟦epoch_first⟧$ to $⟦gamma_last⟧$ at epoch $⟦epoch_last⟧$.",
    ),
    Question(
        "dynamics",
        r"Which of the three parts of $C_\mathrm{AWD}$ carries most of its trace at this epoch?",
        "It is what curvature alone gives, what activity alone gives, or what they have in common.",
        r"$⟦largest_part⟧$, with $⟦largest_share⟧\,\%$.",
    ),
    Question(
        "suppression",
        "Which share of the noise does the largest curvature of every sample carry?",
        "The first bar of *How few carry the noise*.",
        r"$⟦carried⟧\,\%$.",
    ),
    Question(
        "suppression",
        "Which γ is left if all stiff samples curve the loss alike?",
        "Press *Fig. 3 c, d*.",
        r"$⟦gamma_same⟧$, and this is algebra: one curvature for all makes $\mathrm{E}[h^2]$ proportional to the "
        r"edited $H$. On the measured $H_{ii}$ it is $⟦gamma_on_measured⟧$, and that is a measurement.",
    ),
    Question(
        "suppression",
        "How many of the samples are stiff?",
        "As the stiff ratio is set now: those above the mark in *How single samples curve*.",
        r"$⟦stiff⟧\,\%$ of them.",
    ),
    Question(
        "sample",
        r"How many of the samples make half of $\mathrm{tr}\,H$?",
        r"$\mathrm{tr}\,H$ is the mean of $\mathrm{tr}\,h_p = \sum_m \kappa_m$. Start from the stiffest.",
        r"$⟦half_of_H⟧$ of $⟦samples⟧$, which is $⟦half_share⟧\,\%$.",
    ),
    Question(
        "sample",
        "How many times more does the stiffest sample bend the loss than the median one?",
        r"Compare their $\kappa_1$ in *Why are they?*",
        r"$⟦stiffest⟧$ times.",
    ),
    Question(
        "sandbox",
        "What becomes of γ if the correlation is halved?",
        "Move the slider, and read the sentence.",
        r"It goes from $⟦made_gamma⟧$ to $⟦made_gamma_half⟧$; without any correlation it is 1.",
    ),
    Question(
        "sandbox",
        r"How close is γ to $1 + r$?",
        "Both stand in the map.",
        r"$\gamma = ⟦made_gamma⟧$ and $1 + r = ⟦one_and_r⟧$.",
    ),
    Question(
        "duality",
        r"How large is the dual change of weights for this pair, beside $W$?",
        r"$\lVert\Delta W^*\rVert_F = \lVert W\Delta a\rVert / \lVert a\rVert$.",
        r"$⟦dual_share⟧\,\%$ of $\lVert W\rVert_F$.",
    ),
    Question(
        "duality",
        "How much of the gradient's true change does first order miss at the partner?",
        "Go to $t = 1$ in *What the gradient does meanwhile*: the dotted curve over the thick one.",
        r"$⟦missed⟧\,\%$. The loss itself is met exactly.",
    ),
    Question(
        "fisher",
        r"How large is $B\,C$ beside $H$ at the last epoch, in sum?",
        r"If $C = H/B$ held, it would be 1.",
        r"$⟦BC_in_H⟧$ times as large.",
    ),
    Question(
        "fisher",
        "Which share of the empirical Fisher matrix is the mean gradient's, at the first epoch and at the last?",
        r"$\lVert\bar g\rVert^2 / \mathrm{E}\lVert g_p\rVert^2$: it vanishes at a minimum.",
        r"$⟦mean_gradient_first⟧\,\%$ and $⟦mean_gradient_last⟧\,\%$.",
    ),
    Question(
        "film",
        r"By how much has γ of $C$ moved since the first frame?",
        "The first of the curves below.",
        r"From $⟦film_first⟧$ to $⟦film_last⟧$.",
    ),
    Question(
        "film",
        "The newest network stays as it is, but its mini-batch is four times as small. What becomes of $C$ and of γ?",
        r"$B$ stands before the bracket in $C = \frac1B(\dots)$.",
        r"Every $C_{ii}$ is four times as large, so all points move up alike and γ stays at $⟦film_last⟧$.",
    ),
)
